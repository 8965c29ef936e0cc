package rig

import (
	"context"
	"runtime"
	"testing"
	"time"

	"linger"
	"linger/compare/sweep"
	"linger/policy"
	"linger/run"
	"linger/trace"
)

// A sweep of the gallery over 400 paths, seven strategies each.
func BenchmarkSweep(b *testing.B) {
	rtts, err := linger.ParseRTTs("5ms..600ms", 20)
	if err != nil {
		b.Fatal(err)
	}
	downs, err := linger.ParseRates("1mbit..1gbit", 20)
	if err != nil {
		b.Fatal(err)
	}
	strategies, err := linger.ParseStrategies("close,close:6,keep,keep:2,keep:6,pipeline,h2")
	if err != nil {
		b.Fatal(err)
	}
	s := run.Sweep{
		Workload: linger.Gallery(1), Strategies: strategies, Seed: 1, Trials: 1, Workers: runtime.GOMAXPROCS(0),
		Grid: linger.Grid{Loss: []float64{0}, Down: downs, RTT: rtts, Queue: linger.DefaultQueue},
	}
	b.ReportAllocs()
	runs, began := 0, time.Now()
	for b.Loop() {
		done, err := run.Over(context.Background(), Sim{Policy: policy.ServerPolicy{RequestTimeout: time.Minute}, Events: SweepEvents}, s,
			func(t *trace.Trace, err error) sweep.Outcome { return sweep.OutcomeOf(t, s.Workload, err) }, func(i int, seen [][]sweep.Outcome) error {
				sweep.CellOf(s.Grid.Path(i), strategies, seen)
				return nil
			}, nil)
		if err != nil || done != s.Grid.Paths() {
			b.Fatal(done, err)
		}
		runs += done * len(strategies)
	}
	b.ReportMetric(float64(runs)/time.Since(began).Seconds(), "loads/s")
}
