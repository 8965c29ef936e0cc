package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/keepalive"
	"linger/report/words"
)

// The load of the chain's tests: services behind one load balancer, each with a few
// clients that ask at once and then are quiet for a while.
const (
	services     = 100
	askers       = 4 // of a service
	firstPort    = 8000
	appLimit     = time.Second
	balancerKeep = 10 * time.Second
	wavesForAll  = 25
)

// An answers is what became of requests, by what the client saw.
type answers map[string]int

func (t answers) failed() (n int) {
	for what, count := range t {
		if what != answered {
			n += count
		}
	}
	return n
}

const answered = "answered"

// askInWaves asks every service so many times, POST by each of its clients at once,
// after random gaps: half of them around the application's limit, half from 5 ms to
// 3 s. Clients keep their connections, or have a new one for each request.
func askInWaves(waves int, keep bool) answers {
	seen := answers{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for service := range services {
		all.Go(func() {
			luck := rand.New(rand.NewPCG(1, uint64(service)))
			kept := make([]*asker, askers)
			for range waves {
				gap := appLimit - 100*time.Millisecond + time.Duration(luck.Int64N(int64(150*time.Millisecond)))
				if luck.IntN(2) == 0 {
					gap = time.Duration(float64(5*time.Millisecond) * math.Pow(600, luck.Float64()))
				}
				time.Sleep(gap)
				var wave sync.WaitGroup
				for i := range kept {
					wave.Go(func() {
						var what string
						kept[i], what = kept[i].ask(firstPort + service)
						if !keep {
							kept[i].close()
							kept[i] = nil
						}
						mu.Lock()
						defer mu.Unlock()
						seen[what]++
					})
				}
				wave.Wait()
			}
			for _, a := range kept {
				a.close()
			}
		})
	}
	all.Wait()
	return seen
}

// An asker is a client's connection; nil is none yet.
type asker struct {
	net.Conn
	in *bufio.Reader
}

func (a *asker) close() {
	if a != nil {
		a.Close()
	}
}

// ask sends one request and says what the client saw. What it returns is nil where the
// connection is of no use any more.
func (a *asker) ask(port int) (*asker, string) {
	if a == nil {
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, "no connection: " + err.Error()
		}
		a = &asker{c, bufio.NewReader(c)}
	}
	a.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(a, "POST / HTTP/1.1\r\nHost: origin\r\nContent-Length: 2\r\n\r\nhi")
	res, err := http.ReadResponse(a.in, &http.Request{Method: http.MethodPost})
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	switch {
	case err != nil:
		a.close()
		return nil, "closed without an answer"
	case res.StatusCode >= 500:
		return a, res.Status
	case res.Close:
		a.close()
		return nil, answered
	}
	return a, answered
}

// loadMain is the load as a program of its own: WAVES keep|once FILE.
func loadMain(args []string) int {
	waves, err := strconv.Atoi(args[0])
	if err != nil {
		return exitUsage
	}
	for range 500 { // the load balancer is on its way
		c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+services-1)))
		if err == nil {
			c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	b, err := json.Marshal(askInWaves(waves, args[1] == "keep"))
	if err == nil {
		err = os.WriteFile(args[2], b, 0o666)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitMachine
	}
	return exitDone
}

// A balancing is HAProxy between the load and an origin that is 40 ms away.
type balancing struct {
	idle   time.Duration // the origin's limit
	reuse  string        // http-reuse
	server string        // more on HAProxy's server lines
	told   string        // what the probe is told besides
	waves  int
	keep   bool
}

// run puts the load on it in the lab, and probes the chain meanwhile.
func (b balancing) run(t *testing.T) (answers, words.ToldChain) {
	t.Helper()
	needLab(t)
	haproxy := program(t, "haproxy", "haproxy")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var config strings.Builder
	fmt.Fprintf(&config, `global
  maxconn 5000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive %dms
  http-reuse %s
`, balancerKeep.Milliseconds(), b.reuse)
	for i := range services {
		fmt.Fprintf(&config, "listen service%d\n  bind 127.0.0.1:%d\n  server app origin:80 %s\n", i, firstPort+i, b.server)
	}
	name := func(s string) string { return filepath.Join(dir, s) }
	if err := os.WriteFile(name("haproxy.cfg"), []byte(config.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	how := "once"
	if b.keep {
		how = "keep"
	}
	chain := fmt.Sprintf("client=5s,lb=http://127.0.0.1:%d,lb.software=haproxy,app=http://origin/,app.software=linger%s", firstPort, b.told)
	script := fmt.Sprintf(`%s -db -f %s & balancer=$!
%s load %d %s %s & load=$!
sleep 1
%[3]s probe --chain '%[7]s' --max-wait 25s --json > %[8]s && wait $load
status=$?
kill $balancer
exit $status
`, haproxy, name("haproxy.cfg"), self, b.waves, how, name("load.json"), chain, name("chain.json"))
	if _, errs, status := command(t, "lab", "--rtt", "40ms", "--down", "0", "--up", "0", "--serve", "textbook:1",
		"--idle-timeout", b.idle.String(), "--", "sh", "-c", script); status != exitDone {
		t.Fatalf("status %d: %.2000s", status, errs)
	}
	read := func(from string, to any) {
		t.Helper()
		text, err := os.ReadFile(name(from))
		if err == nil {
			err = json.Unmarshal(text, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var seen answers
	var judged words.ToldChain
	read("load.json", &seen)
	read("chain.json", &judged)
	total := 0
	for _, n := range seen {
		total += n
	}
	t.Logf("application %v, http-reuse %s %s: %d requests, %v; the chain is %s", b.idle, b.reuse, b.server, total, seen, judged.Verdict)
	if want := b.waves * services * askers; total != want {
		t.Errorf("%d requests, want %d", total, want)
	}
	return seen, judged
}

// TestWrongChainFailsAndAdviceMendsIt has HAProxy, as it is by default (http-reuse
// safe, retries 3, which are for connecting only), keep connections for longer than
// the application does: requests are lost. HAProxy closes the client's connection
// without an answer where the client has used it before, so that it may ask again
// itself; where the client has just come and http-reuse is always, it answers 502.
// The probe names the pair, and with either of its advices nothing fails.
func TestWrongChainFailsAndAdviceMendsIt(t *testing.T) {
	testall.Long(t, "a minute of real time")
	t.Parallel()
	wrong := []struct {
		balancing
		seen string
	}{
		{balancing{idle: appLimit, reuse: "safe", waves: 8, keep: true}, "closed without an answer"},
		{balancing{idle: appLimit, reuse: "always", waves: 8}, "502 Bad Gateway"},
	}
	advices := make([][]words.ToldSetting, len(wrong))
	t.Run("wrong", func(t *testing.T) {
		for i, test := range wrong {
			t.Run(test.reuse, func(t *testing.T) {
				t.Parallel()
				seen, chain := test.run(t)
				if seen[test.seen] == 0 {
					t.Errorf("nothing was %s: %v", test.seen, seen)
				}
				front, back := chain.Pairs[0], chain.Pairs[1]
				if front.Verdict != keepalive.Right || back.Verdict != keepalive.Wrong || chain.Verdict != keepalive.Wrong {
					t.Errorf("client before lb is %s, lb before app is %s, the chain %s", front.Verdict, back.Verdict, chain.Verdict)
				}
				isMeasured(t, front.Server, balancerKeep)
				isMeasured(t, back.Server, appLimit)
				advices[i] = back.Changes
			})
		}
	})
	advice := advices[0]
	if len(advice) != 2 {
		t.Fatalf("advice %+v", advice)
	}
	raised, lowered := advice[0], advice[1]
	flag, value, _ := strings.Cut(raised.Write, " ")
	idle, err := time.ParseDuration(value)
	if err != nil || flag != "--idle-timeout" || raised.Side != keepalive.Accepts || !strings.HasPrefix(lowered.Write, "pool-purge-delay ") {
		t.Fatalf("advice %q, %q", raised.Write, lowered.Write)
	}
	for _, mended := range []struct {
		name string
		balancing
	}{
		{"raised", balancing{idle: idle, reuse: "safe", waves: wavesForAll, keep: true}},
		{"lowered", balancing{idle: appLimit, reuse: "safe", server: lowered.Write, waves: wavesForAll, keep: true,
			told: ",lb.upstream=" + time.Duration(lowered.Limit).String()}},
	} {
		t.Run(mended.name, func(t *testing.T) {
			t.Parallel()
			seen, chain := mended.run(t)
			if n := seen.failed(); n > 0 {
				t.Errorf("%d requests failed with the advice followed: %v", n, seen)
			}
			if chain.Verdict != keepalive.Right {
				t.Errorf("with the advice followed the chain is %s: %+v", chain.Verdict, chain.Pairs)
			}
		})
	}
}

// isMeasured holds a limit within 0.1 s or 2 % of what was set.
func isMeasured(t *testing.T, limit keepalive.Limit, want time.Duration) {
	t.Helper()
	got := time.Duration(limit.Value)
	if off := (got - want).Abs(); limit.Source != keepalive.FromProbe || off > max(100*time.Millisecond, want/50) {
		t.Errorf("%v is %s as %v", want, limit.Source, got)
	}
}
