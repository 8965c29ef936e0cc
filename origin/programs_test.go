package origin

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// program runs a real client and returns what it printed.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("LINGER_TEST_ALL") == "1" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// figure reads the number that pattern's group finds in out.
func figure(t *testing.T, out, pattern string) int64 {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no %q in:\n%s", pattern, out)
	}
	return must(strconv.ParseInt(m[1], 10, 64))
}

// settle shuts the server down, so that its log is complete.
func settle(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func TestCurl(t *testing.T) {
	w := linger.Gallery(1)
	for _, test := range []struct {
		args        []string
		connections int64
		by          trace.Peer
		version     string
	}{
		{[]string{"--http1.1"}, 1, trace.AtClient, "1.1"},
		{[]string{"--http1.1", "-H", "Connection: close"}, int64(len(w.Exchanges)), trace.AtServer, "1.1"},
		{[]string{"--http1.0"}, int64(len(w.Exchanges)), trace.AtServer, "1.0"},
		{[]string{"--http1.0", "-H", "Connection: keep-alive"}, 1, trace.AtClient, "1.0"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			var log recorder
			s, address := onLoopback(t, Config{Workload: w, Log: log.log})
			args := append([]string{"-sS", "--fail", "-w", "%{http_version} %{num_connects} %{size_download}\n"}, test.args...)
			for _, e := range w.Exchanges {
				args = append(args, "http://"+address+e.Path, "-o", os.DevNull)
			}
			lines := strings.Split(strings.TrimSpace(program(t, "curl", args...)), "\n")
			settle(t, s)
			if len(lines) != len(w.Exchanges) {
				t.Fatalf("%d lines", len(lines))
			}
			var connects int64
			for i, line := range lines {
				var version string
				var n, size int64
				must(fmt.Sscan(line, &version, &n, &size))
				connects += n
				if size != w.Exchanges[i].ResponseBody {
					t.Errorf("%s: %d bytes, want %d", w.Exchanges[i].Path, size, w.Exchanges[i].ResponseBody)
				}
			}
			if n := s.Counters(); connects != test.connections || n.Accepted != connects || n.Requests != int64(len(lines)) {
				t.Errorf("curl opened %d connections, the server counts %+v, want %d", connects, n, test.connections)
			}
			for _, e := range log.of(Closed) {
				if e.By != test.by {
					t.Errorf("log: %v", e)
				}
			}
			// Of several connections, the log's lines may cross.
			answered := log.of(Answered)
			slices.SortFunc(answered, func(a, b Entry) int {
				return cmp.Or(cmp.Compare(a.Conn, b.Conn), cmp.Compare(a.Request, b.Request))
			})
			for i, e := range answered {
				if e.Version != test.version || e.Target != w.Exchanges[i].Path || e.Failed != "" || int64(e.Request) != 1+int64(i)*int64(2-min(test.connections, 2)) {
					t.Errorf("log: %v", e)
				}
			}
		})
	}
}

func TestCurlUploads(t *testing.T) {
	var log recorder
	s, address := onLoopback(t, Config{Log: log.log})
	for _, args := range [][]string{
		{"-d", "abc"},
		{"-T", "-", "-H", "Transfer-Encoding: chunked"},
		{"-H", "Expect: 100-continue", "-d", strings.Repeat("x", 100_000)},
		{"-I"},
	} {
		out := program(t, "curl", append([]string{"-sS", "--fail", "-w", "%{http_code}", "-o", os.DevNull, "http://" + address + "/bytes/10"}, args...)...)
		if out != "200" {
			t.Errorf("%v: %s", args[:1], out)
		}
	}
	settle(t, s)
	if n := s.Counters(); n.Requests != 4 {
		t.Errorf("%+v", n)
	}
}

func TestApacheBench(t *testing.T) {
	for _, test := range []struct {
		flags       []string
		policy      policy.ServerPolicy
		connections int64
	}{
		{nil, policy.ServerPolicy{}, 2000},
		{[]string{"-k"}, policy.ServerPolicy{}, 10},
		{[]string{"-k"}, policy.ServerPolicy{MaxRequests: 50, IdleTimeout: 5 * time.Second, Announce: true}, 40},
		{[]string{"-k", "-H", "Connection: close"}, policy.ServerPolicy{}, 2000},
	} {
		t.Run(fmt.Sprint(test.flags, test.policy.MaxRequests), func(t *testing.T) {
			var log recorder
			s, address := onLoopback(t, Config{Policy: test.policy, Log: log.log})
			out := program(t, "ab", append(append([]string{"-q", "-n", "2000", "-c", "10"}, test.flags...), "http://"+address+"/bytes/1000")...)
			settle(t, s)
			if figure(t, out, `Complete requests: +(\d+)`) != 2000 || figure(t, out, `Failed requests: +(\d+)`) != 0 || strings.Contains(out, "Non-2xx") {
				t.Errorf("ab:\n%s", out)
			}
			if n := figure(t, out, `HTML transferred: +(\d+)`); n != 2_000_000 {
				t.Errorf("ab read %d bytes", n)
			}
			// With -k, ab opens one more when the server closes the last.
			if n := s.Counters(); n.Requests != 2000 || n.Accepted < test.connections || n.Accepted > test.connections+10 {
				t.Errorf("the server counts %+v, want %d connections", n, test.connections)
			}
			var kept, body int64
			for _, e := range log.of(Answered) {
				body += e.Body
				if e.Kept {
					kept++
				}
				if e.Failed != "" || e.Status != 200 {
					t.Errorf("log: %v", e)
				}
			}
			if body != 2_000_000 || int64(len(log.of(Closed))) != s.Counters().Accepted {
				t.Errorf("log: %d bytes, %d closed", body, len(log.of(Closed)))
			}
			if strings.Contains(out, "Keep-Alive requests") && test.policy.MaxRequests == 0 {
				// ab counts the responses that say keep-alive.
				if n := figure(t, out, `Keep-Alive requests: +(\d+)`); n != kept {
					t.Errorf("ab counts %d kept, the log %d", n, kept)
				}
			}
		})
	}
}

func TestWrk(t *testing.T) {
	for _, closes := range []bool{false, true} {
		t.Run(fmt.Sprint("close ", closes), func(t *testing.T) {
			s, address := onLoopback(t, Config{})
			args := []string{"-t1", "-c4", "-d1s", "http://" + address + "/bytes/1000"}
			if closes {
				args = append(args, "-H", "Connection: close")
			}
			out := program(t, "wrk", args...)
			settle(t, s)
			if strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") {
				t.Errorf("wrk:\n%s", out)
			}
			// wrk leaves one request a connection behind when its time is over.
			done, n := figure(t, out, `(\d+) requests in`), s.Counters()
			if n.Requests < done || n.Requests > done+4 {
				t.Errorf("wrk counts %d requests, the server %+v", done, n)
			}
			if want := n.Requests; closes && (n.Accepted < want || n.Accepted > want+5) || !closes && (n.Accepted < 4 || n.Accepted > 5) {
				t.Errorf("the server counts %+v", n)
			}
		})
	}
}
