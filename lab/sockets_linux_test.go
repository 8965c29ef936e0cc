package lab

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/sockdiag"
)

func init() {
	roles["hold"] = hold
	roles["census"] = takeOne
	roles["censuses"] = takeMany
}

// hold opens so many connections to a host, reads nothing of half of them, and
// waits to be killed; it says "ready" once all are open.
func hold(args []string) int {
	n, _ := strconv.Atoi(args[1])
	for i := range n {
		c, err := net.DialTimeout("tcp4", args[0]+":80", patience)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		if i%2 == 0 {
			go io.Copy(io.Discard, c)
		}
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
	return 0
}

// ssStates are the names that ss gives to the states of RFC 9293.
var ssStates = map[string]string{
	"ESTAB": "ESTABLISHED", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECEIVED", "FIN-WAIT-1": "FIN_WAIT_1",
	"FIN-WAIT-2": "FIN_WAIT_2", "TIME-WAIT": "TIME_WAIT", "UNCONN": "CLOSED", "CLOSE-WAIT": "CLOSE_WAIT",
	"LAST-ACK": "LAST_ACK", "LISTEN": "LISTEN", "CLOSING": "CLOSING",
}

var skmem = regexp.MustCompile(`skmem:\(r(\d+),rb\d+,t\d+,tb\d+,f(\d+),w(\d+),`)

// takeOne prints one census of the host's sockets: their memory, then how many
// are in each state.
func takeOne([]string) int {
	s, err := sockdiag.Open()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c, err := s.Census()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	states := map[string]int{}
	for state, n := range c.States {
		if n > 0 {
			states[sockdiag.State(state).String()] += n
		}
	}
	fmt.Print(c.Memory, states)
	return 0
}

// takeMany prints what one of many censuses takes.
func takeMany([]string) int {
	s, err := sockdiag.Open()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	const many = 1000
	began := time.Now()
	for range many {
		if _, err := s.Census(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Print(time.Since(began) / many)
	return 0
}

// TestSocketsAgreeWithSS compares the census with another program's, on hosts
// whose sockets have come to rest: half of the connections are closed one way,
// and the unread half holds as much memory as it can.
func TestSocketsAgreeWithSS(t *testing.T) {
	testall.Needs(t, "ss")
	ss, _ := exec.LookPath("ss")
	l := openLab(t, two())
	startServer(t, l, "origin", 10<<20)
	startReady(t, l, role("client", "hold", "origin", "10"))
	for _, host := range []string{"client", "origin"} {
		var states map[string]int
		var memory int64
		want, got := "a", "b"
		for deadline := time.Now().Add(patience); want != got && time.Now().Before(deadline); {
			text, e := output(t, l, Command{Host: host, Path: ss, Args: []string{"-tanmHO"}})
			if e.Status() != 0 {
				t.Fatalf("ss: %s", text)
			}
			states, memory = readSS(t, text)
			want = fmt.Sprint(memory, states)
			got, _ = output(t, l, role(host, "census"))
		}
		if got != want || memory == 0 {
			t.Errorf("%s: %s, ss sees %s", host, got, want)
		}
		report, err := l.Report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h := report.Hosts[host]
		t.Logf("%s: %s; %+v", host, got, h)
		for s, n := range states {
			if h.Sockets[s] < n {
				t.Errorf("%s: at most %d sockets in %s, ss sees %d", host, h.Sockets[s], s, n)
			}
		}
		if h.TimeWait != states["TIME_WAIT"] || h.SocketsPeak != 10 || h.SocketMemory < memory {
			t.Errorf("%s: %+v, ss sees %s", host, h, want)
		}
	}
}

// readSS reads what ss -tanmHO prints: a socket a line.
func readSS(t *testing.T, text string) (states map[string]int, memory int64) {
	t.Helper()
	states = map[string]int{}
	for line := range strings.Lines(text) {
		state, ok := ssStates[strings.Fields(line)[0]]
		if !ok {
			t.Fatalf("a state that ss should not have: %s", line)
		}
		states[state]++
		if m := skmem.FindStringSubmatch(line); m != nil {
			for _, s := range m[1:] {
				n, err := strconv.ParseInt(s, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				memory += n
			}
		}
	}
	return states, memory
}

// TestCongestionControl sees both ends of a connection use the lab's algorithm,
// whatever this machine's default is.
func TestCongestionControl(t *testing.T) {
	testall.Needs(t, "ss")
	ss, _ := exec.LookPath("ss")
	l := openLab(t, two())
	startServer(t, l, "origin", 100_000)
	if got, _ := output(t, l, role("client", "fetch", "origin")); got != "100000" {
		t.Fatalf("fetched %s bytes", got)
	}
	startReady(t, l, role("client", "hold", "origin", "1"))
	got, _ := output(t, l, Command{Host: "client", Path: ss, Args: []string{"-tinHO"}})
	if !strings.Contains(got, " "+algorithm+" ") || strings.Count(got, "\n") != 1 {
		t.Errorf("the client's connection: %s", got)
	}
}

// TestSysctls sees each parameter as the table has it.
func TestSysctls(t *testing.T) {
	l := openLab(t, two())
	var paths []string
	table := sysctls(os.Getegid())
	for _, s := range table {
		paths = append(paths, "/proc/sys/net/"+s.path)
	}
	got, _ := output(t, l, shell("origin", `for f in "$@"; do tr -s '\t\n' '  ' <"$f" 2>/dev/null; echo; done`, paths...))
	lines := strings.Split(got, "\n")
	for i, s := range table {
		if _, err := os.Stat(paths[i]); err != nil {
			continue // not in this kernel
		}
		if have := strings.TrimSpace(lines[i]); have != s.value {
			t.Errorf("%s is %q, want %q: %s", s.path, have, s.value, s.why)
		}
	}
}

// BenchmarkCensus is what one count of a host costs: with a hundred connections, and with ten
// thousand that are in TIME_WAIT.
func BenchmarkCensus(b *testing.B) {
	const waiting = 10_000
	for _, c := range []struct {
		name, what string
		args       []string
	}{{"open", "hold", []string{"origin", "100"}}, {"TIME_WAIT", "closing", []string{"origin:81", strconv.Itoa(waiting / 2)}}} {
		b.Run(c.name, func(b *testing.B) {
			config := two()
			config.Network.RTT, config.Hosts[0].Addresses = 0, 2
			l := openLab(b, config)
			startServer(b, l, "origin", 1)
			startReady(b, l, role("origin", "accept"))
			if c.what == "closing" {
				c.args = append(c.args, texts(l.Addrs("client"))...)
			}
			startReady(b, l, role("client", c.what, c.args...))
			for b.Loop() {
				text, e := output(b, l, role("client", "censuses"))
				if e.Status() != 0 {
					b.Fatal(text)
				}
				d, err := time.ParseDuration(text)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(d.Microseconds()), "µs/census")
			}
			if h := report(b, l).Hosts["client"]; c.what == "closing" && h.TimeWait != waiting {
				b.Errorf("%d are in TIME_WAIT", h.TimeWait)
			}
		})
	}
}
