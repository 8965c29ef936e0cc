package load

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/load/plan"
	"linger/tally"
)

// BenchmarkLoad is what a request costs the client, user and system time, of nginx that serves 1 KiB,
// with 64 connections.
func BenchmarkLoad(b *testing.B) {
	n := startNginx(b, 1024, "auto")
	for _, one := range []struct {
		strategy string
		closing  tally.Closing
	}{{"keep", tally.CloseFIN}, {"close", tally.CloseFIN}, {"close", tally.CloseRST}, {"close", tally.CloseAgain}, {"close", tally.CloseAgainRST}} {
		b.Run(strings.TrimSpace(one.strategy+"/"+string(one.closing)), func(b *testing.B) {
			s, err := linger.ParseStrategy(one.strategy)
			if err != nil {
				b.Fatal(err)
			}
			c := Config{Strategy: s, Closing: one.closing, Connections: 64, Plan: plan.Plan{Requests: int64(b.N)}, Workers: 1,
				Targets: []Target{{Scheme: linger.SchemeHTTP, Address: n.clear, Host: n.clear, Path: "/body"}}}
			b.ReportAllocs()
			r, err := Run(b.Context(), c, nil)
			if err != nil || r.Requests.Answered != int64(b.N) {
				b.Fatalf("%v, %+v", err, r.Requests)
			}
			cpu, _ := r.Client.CPU.Get()
			b.ReportMetric(float64(cpu.Nanoseconds())/1000/float64(b.N), "cpu-µs/request")
		})
	}
}

// BenchmarkHeld is what a connection takes that is held: memory of this process.
func BenchmarkHeld(b *testing.B) {
	n := startNginx(b, 10, "auto")
	s, err := linger.ParseStrategy("keep")
	if err != nil {
		b.Fatal(err)
	}
	const held = 4000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		c := Config{Strategy: s, Connections: held, Plan: plan.Plan{Time: 2 * time.Second}, Life: plan.Life{Think: time.Second}, Every: time.Second,
			Targets: []Target{{Scheme: linger.SchemeHTTP, Address: n.clear, Host: n.clear, Path: "/body"}}}
		r, err := Run(b.Context(), c, func(tally.Run) { runtime.ReadMemStats(&after) })
		if err != nil || r.Connections.Most < held {
			b.Fatalf("%v, %+v", err, r.Connections)
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/held, "heap-B/connection")
	}
}
