package load

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/load/plan"
	"linger/tally"
)

// A peer is a program that loads a server with 64 connections, on the first core.
type peer struct {
	name    string
	program string
	args    []string // empty is this one
	// Of this one: how connections are used and closed.
	strategy string
	closing  tally.Closing
}

const peerVar = "LINGER_LOAD_PEER"

// TestPeer is this program as one of the peers, in a process of its own.
func TestPeer(t *testing.T) {
	var name, address, closing string
	if n, _ := fmt.Sscan(os.Getenv(peerVar), &name, &address, &closing); n < 3 {
		t.Skip("BenchmarkPeers runs it")
	}
	s, err := linger.ParseStrategy(name)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Strategy: s, Closing: tally.Closing(closing), Connections: 64, Plan: plan.Plan{Time: peerTime}, Workers: 1,
		Targets: []Target{{Scheme: linger.SchemeHTTP, Address: address, Host: address, Path: "/body"}}}
	r, err := Run(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	cpu, _ := r.Client.CPU.Get()
	fmt.Printf("peer: %d %d\n", cpu, r.Requests.Answered)
}

const peerTime = 2 * time.Second

// BenchmarkPeers is what a request costs a client, user and system time: of programs that others wrote and
// of this one, one after the other, of nginx on the second core that serves 1 KiB and counts. Of
// several rounds the median is told; of this program, what it took from the beginning of the load on.
//
//	go test -run '^$' -bench Peers -benchtime 5x ./load
func BenchmarkPeers(b *testing.B) {
	testall.Needs(b, "taskset", "wrk", "ab", "h2load")
	n := startNginx(b, 1024, "10")
	url := "http://" + n.clear + "/body"
	seconds := fmt.Sprint(int(peerTime.Seconds()))
	peers := []peer{
		{name: "keep-wrk", program: "wrk", args: []string{"-t1", "-c64", "-d" + seconds + "s", url}},
		{name: "keep-ab", program: "ab", args: []string{"-q", "-k", "-c64", "-n10000000", "-t" + seconds, url}},
		{name: "keep-h2load", program: "h2load", args: []string{"--h1", "-c64", "-D" + seconds, url}},
		{name: "keep-linger", strategy: "keep", closing: tally.CloseFIN},
		{name: "close-wrk", program: "wrk", args: []string{"-t1", "-c64", "-d" + seconds + "s", "-H", "Connection: close", url}},
		{name: "close-ab", program: "ab", args: []string{"-q", "-c64", "-n10000000", "-t" + seconds, url}},
		{name: "close-linger-fin", strategy: "close", closing: tally.CloseFIN},
		{name: "close-linger-rst", strategy: "close", closing: tally.CloseRST},
		{name: "close-linger-again", strategy: "close", closing: tally.CloseAgain},
		{name: "close-linger-again-rst", strategy: "close", closing: tally.CloseAgainRST},
	}
	cost := map[string][]float64{}
	for b.Loop() {
		for _, p := range peers {
			cost[p.name] = append(cost[p.name], p.run(b, n))
		}
	}
	for _, p := range peers {
		c := cost[p.name]
		slices.Sort(c)
		b.ReportMetric(c[len(c)/2], p.name+"-µs")
	}
}

// run returns what a request cost the peer, in microseconds.
func (p peer) run(b *testing.B, n nginx) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	_, before, _ := n.counts(b)
	args := []string{"-c", "0", p.program}
	if p.program == "" {
		self, err := os.Executable()
		if err != nil {
			b.Fatal(err)
		}
		args = []string{"-c", "0", self, "-test.run", "^TestPeer$"}
	}
	cmd := exec.CommandContext(ctx, "taskset", append(args, p.args...)...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", peerVar, p.strategy, n.clear, p.closing))
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%s: %v\n%s", p.name, err, out)
	}
	_, after, _ := n.counts(b)
	requests, cpu := after-before-1, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	if p.program == "" {
		_, told, _ := strings.Cut(string(out), "peer: ")
		var nanoseconds, answered int64
		if _, err := fmt.Sscan(told, &nanoseconds, &answered); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		cpu = time.Duration(nanoseconds)
		if answered != requests {
			b.Errorf("%s: %d requests, nginx counts %d", p.name, answered, requests)
		}
	}
	return float64(cpu.Nanoseconds()) / 1000 / float64(requests)
}
