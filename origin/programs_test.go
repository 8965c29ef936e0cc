package origin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/origin/accesslog"
	"linger/policy"
	"linger/trace"
)

// program runs a real client and returns what it printed.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	return programStatus(t, 0, name, args...)
}

// programStatus is program for one that ends with a status.
func programStatus(t *testing.T, status int, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testall.Lacks(t, "%s is not installed", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
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
			for _, e := range log.of(accesslog.Closed) {
				// curl's close may not have been read when the server goes down.
				if e.By != test.by && e.Reason != "server shuts down" {
					t.Errorf("log: %v", e)
				}
			}
			// Of several connections, the log's lines may cross.
			answered := log.of(accesslog.Answered)
			slices.SortFunc(answered, func(a, b accesslog.Entry) int {
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
			for _, e := range log.of(accesslog.Answered) {
				body += e.Body
				if e.Kept {
					kept++
				}
				if e.Failed != "" || e.Status != 200 {
					t.Errorf("log: %v", e)
				}
			}
			if body != 2_000_000 || int64(len(log.of(accesslog.Closed))) != s.Counters().Accepted {
				t.Errorf("log: %d bytes, %d closed", body, len(log.of(accesslog.Closed)))
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

// trust writes the authority's root for a program to trust.
func trust(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(path, certifier().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCurlOverEveryProtocol(t *testing.T) {
	w := linger.Gallery(1)
	for _, test := range []struct {
		way  way
		args []string
		// atOnce is how many objects one curl fetches: 7.88 fails at the second by
		// prior knowledge, with every server.
		atOnce int
	}{
		{ways[1], []string{"--http1.1"}, len(w.Exchanges)},
		{ways[2], []string{"--http2-prior-knowledge"}, 1},
		{ways[3], []string{"--http2"}, len(w.Exchanges)},
		{ways[3], []string{"--http2", "--tlsv1.2", "--tls-max", "1.2"}, len(w.Exchanges)},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Workload: w, Log: log.log}, test.way)
			curls := 0
			for some := range slices.Chunk(w.Exchanges, test.atOnce) {
				args := append([]string{"-sS", "--fail", "--cacert", trust(t), "-w", "%{http_version} %{num_connects} %{size_download}\n"}, test.args...)
				want := ""
				for i, e := range some {
					args = append(args, test.way.url(address, e.Path), "-o", os.DevNull)
					want += fmt.Sprintf("%s %d %d\n", test.way.version, 1-min(i, 1), e.ResponseBody)
				}
				if got := program(t, "curl", args...); got != want {
					t.Errorf("curl says\n%swant\n%s", got, want)
				}
				curls++
			}
			settle(t, s)
			if n := s.Counters(); n.Accepted != int64(curls) || n.Requests != int64(len(w.Exchanges)) {
				t.Errorf("%+v", n)
			}
			for _, e := range log.of(accesslog.Answered) {
				if e.Version != test.way.version || e.Failed != "" {
					t.Errorf("log: %v", e)
				}
			}
		})
	}
}

func TestH2load(t *testing.T) {
	for _, way := range []way{ways[2], ways[3]} {
		for _, limit := range []int{0, 50} {
			t.Run(fmt.Sprintf("%s, %d requests a connection", way.name, limit), func(t *testing.T) {
				const requests, clients = 2000, 10
				s, address := serveOn(t, Config{Policy: policy.ServerPolicy{MaxRequests: limit}}, way)
				out := program(t, "h2load", "-n", strconv.Itoa(requests), "-c", strconv.Itoa(clients), "-m", "20", way.scheme+"://"+address+"/bytes/5000")
				settle(t, s)
				want := int64(requests)
				if limit > 0 {
					// h2load opens no connection anew: what GOAWAY leaves out has failed.
					want = int64(limit * clients)
				}
				if got := figure(t, out, `(\d+) succeeded`); got != want {
					t.Errorf("h2load counts %d answers, want %d:\n%s", got, want, out)
				}
				if n := s.Counters(); n.Accepted != clients || n.Requests != want {
					t.Errorf("%+v", n)
				}
				if limit == 0 && figure(t, out, `\((\d+)\) data`) != requests*5000 {
					t.Errorf("not every byte has arrived:\n%s", out)
				}
			})
		}
	}
}

// TestH2spec runs the conformance suite of that name. The one case that fails in
// cleartext is none of HTTP/2's: what does not begin as HTTP/2 there is a request
// of HTTP/1, and is refused as such.
func TestH2spec(t *testing.T) {
	for _, test := range []struct {
		way    way
		args   []string
		failed int64
	}{{ways[3], []string{"-t", "-k", "-S"}, 0}, {ways[2], []string{"-S"}, 1}} {
		t.Run(test.way.name, func(t *testing.T) {
			s, address := serveOn(t, Config{Workload: linger.Gallery(1)}, test.way)
			host, port, _ := net.SplitHostPort(address)
			out := programStatus(t, int(min(test.failed, 1)), "h2spec", append(test.args, "-h", host, "-p", port)...)
			settle(t, s)
			if got := figure(t, out, `(\d+) failed`); got != test.failed {
				t.Errorf("%d cases fail, want %d:\n%s", got, test.failed, out[strings.Index(out, "Failures"):])
			}
			if test.failed == 1 && strings.Count(out, "× 2: Sends invalid connection preface") == 0 {
				t.Errorf("another case fails:\n%s", out)
			}
			if n := figure(t, out, `(\d+) tests`); n < 145 {
				t.Errorf("%d cases", n)
			}
		})
	}
}

// TestChromium has a browser fetch the gallery and counts its connections.
func TestChromium(t *testing.T) {
	testall.Long(t, "four starts of a browser")
	t.Parallel()
	w := linger.Gallery(1)
	for _, test := range []struct {
		way         way
		args        []string
		least, most int
	}{
		{ways[0], nil, 2, 6},
		{ways[1], []string{"--disable-http2"}, 2, 6},
		{ways[3], nil, 1, 1},
		{ways[4], []string{"--origin-to-force-quic-on=ADDRESS"}, 1, 1},
	} {
		t.Run(test.way.name, func(t *testing.T) {
			var log recorder
			config := Config{Workload: w, Log: log.log}
			s, address := serveOn(t, config, test.way)
			args := []string{
				"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
				"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
				"--ignore-certificate-errors-spki-list=" + pin(t, s), "--virtual-time-budget=10000", "--dump-dom",
			}
			for _, a := range test.args {
				args = append(args, strings.ReplaceAll(a, "ADDRESS", address))
			}
			out := program(t, "chromium", append(args, test.way.url(address, "/"))...)
			if n := strings.Count(out, "<img "); n != 40 {
				t.Errorf("the page shows %d images", n)
			}
			settle(t, s)
			conns := map[int64]int{}
			seen := map[string]bool{}
			for _, e := range log.of(accesslog.Answered) {
				if e.Version != test.way.version || e.Failed != "" {
					t.Errorf("log: %v", e)
				}
				conns[e.Conn]++
				seen[e.Target] = true
			}
			for _, e := range w.Exchanges {
				if !seen[e.Path] {
					t.Errorf("%s was not asked for", e.Path)
				}
			}
			t.Logf("%d connections with requests: %v", len(conns), conns)
			if len(conns) < test.least || len(conns) > test.most {
				t.Errorf("%d connections carried requests, want %d to %d", len(conns), test.least, test.most)
			}
		})
	}
}

// pin is what Chromium calls the leaf's key: the SHA-256 of its public half.
func pin(t *testing.T, s *Server) string {
	t.Helper()
	sum := sha256.Sum256(s.config.Certificates[0].Leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
