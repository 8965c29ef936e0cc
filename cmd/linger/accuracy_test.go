package main

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/lab"
	"linger/run"
	"linger/trace"
)

var (
	accuracyOut   = flag.String("accuracy", "", "measure the grid of docs/accuracy.md and write its cells to this file")
	accuracyLoss  = flag.String("accuracy-loss", "0", "the losses of the grid")
	accuracyCells = flag.String("accuracy-cells", "", "RTT/rate cells, as 5ms/12mbit; empty is all")
)

// A cell is one strategy on one path, measured and predicted.
type cell struct {
	workload, strategy string
	rtt                time.Duration
	down               linger.Rate
	loss               float64
	lab                []sighting
	sim                []sighting
}

// A sighting is what one trial came to.
type sighting struct {
	time        float64 // ms
	packets     float64
	connections float64
	handshakes  float64
	wire        float64
}

func sight(t *trace.Trace) sighting {
	l := t.Ledger.Or(trace.Ledger{})
	s := sighting{time: t.Ended.Milliseconds(), packets: float64(l.Up.Packets + l.Down.Packets), wire: float64(l.Up.Bytes + l.Down.Bytes)}
	for _, f := range l.Connections {
		if f.Protocol == "tcp" && f.Up.SYN > 0 || f.IsQUIC() {
			s.connections++
			if f.Down.SYN > 0 || f.IsQUIC() {
				s.handshakes++
			}
		}
	}
	return s
}

func middle(all []sighting, of func(sighting) float64) float64 {
	var v []float64
	for _, s := range all {
		v = append(v, of(s))
	}
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// measureCells runs strategies on one path in both engines.
func measureCells(t *testing.T, w linger.Workload, list string, n linger.Network, trials, simTrials int) []cell {
	t.Helper()
	strategies, err := linger.ParseStrategies(list)
	if err != nil {
		t.Fatal(err)
	}
	plan := run.Plan{Workload: w, Strategies: strategies, Network: n, Seed: 1, Trials: simTrials, Workers: runtime.NumCPU()}
	model, err := run.Run(context.Background(), simEngine{}, plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan.Trials, plan.Workers = trials, lab.Capacity(n, runtime.NumCPU())
	real, err := run.Run(context.Background(), labEngine{lost: func(error) {}}, plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []cell
	for i, s := range strategies {
		c := cell{workload: w.Name + "/" + w.Scheme, strategy: s.Name, rtt: n.RTT, down: n.Down, loss: n.Loss}
		for _, tr := range real.Traces[i] {
			c.lab = append(c.lab, sight(tr))
		}
		for _, tr := range model.Traces[i] {
			c.sim = append(c.sim, sight(tr))
		}
		out = append(out, c)
	}
	return out
}

func (c cell) record() []string {
	f := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	rec := []string{c.workload, c.strategy, c.rtt.String(), c.down.String(), fmt.Sprint(c.loss)}
	for _, all := range [][]sighting{c.lab, c.sim} {
		for _, of := range []func(sighting) float64{
			func(s sighting) float64 { return s.time }, func(s sighting) float64 { return s.packets },
			func(s sighting) float64 { return s.connections }, func(s sighting) float64 { return s.wire },
		} {
			rec = append(rec, f(middle(all, of)))
		}
	}
	times := []float64{}
	for _, s := range c.lab {
		times = append(times, s.time)
	}
	return append(rec, f(slices.Min(times)), f(slices.Max(times)))
}

func TestGrid(t *testing.T) {
	if *accuracyOut == "" {
		t.Skip("give -accuracy FILE to measure the grid")
	}
	needLab(t)
	f, err := os.OpenFile(*accuracyOut, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := csv.NewWriter(f)
	_ = compare.Gap{}
	gallery, _ := linger.Gallery(1).WithScheme("https")
	microscape, api := linger.Microscape(), linger.API(1)
	workloads := []linger.Workload{gallery, microscape, api}
	i := 0
	loss, _ := linger.ParseLoss(*accuracyLoss)
	for _, rtt := range []time.Duration{5, 20, 70, 170, 300} {
		for _, rate := range []linger.Rate{1600 * linger.Kbps, 5 * linger.Mbps, 12 * linger.Mbps, 100 * linger.Mbps} {
			w := workloads[i%len(workloads)]
			i++
			n := linger.Network{Name: "grid", RTT: rtt * time.Millisecond, Down: rate, Up: rate, Queue: linger.DefaultQueue, Loss: loss}
			list := "close,close:6,keep,keep:6,pipeline,h2"
			if w.Name == "api" && rtt > 100 {
				list = "close:6,keep,pipeline,h2"
			}
			for _, c := range measureCells(t, w, list, n, 3, 1) {
				out.Write(c.record())
			}
			out.Flush()
		}
	}
}
