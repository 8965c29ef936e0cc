package compare_test

import (
	"context"
	"fmt"

	"linger"
	"linger/compare"
	"linger/sim"
	"linger/trace"
)

// Three strategies fetch a page with images over an emulated mobile network. The engine here is
// the simulator; traces that were measured are compared in the same way.
func Example() {
	strategies, err := linger.ParseStrategies("close,keep,h2")
	if err != nil {
		fmt.Println(err)
		return
	}
	network, err := linger.ParseNetwork("lte")
	if err != nil {
		fmt.Println(err)
		return
	}
	in := trace.Experiment{Setup: trace.Setup{
		Engine: "sim", Provenance: trace.Predicted, Workload: linger.Gallery(1), Strategies: strategies, Network: network, Seed: 1, Trials: 1,
	}}
	for _, s := range strategies {
		t, err := sim.Run(context.Background(), linger.Scenario{Workload: in.Workload, Strategy: s, Network: network, Seed: 1}, sim.Config{})
		if err != nil {
			fmt.Println(err)
			return
		}
		in.Traces = append(in.Traces, []*trace.Trace{t})
	}

	f := compare.Compare(in)
	for _, row := range f.Rows {
		time, _ := row.Time.Get()
		fmt.Printf("%s: %.0f ms, %.0f connections\n", row.Strategy, time.Median, row.Connections.Or(0))
	}
	fmt.Println("fastest:", f.Verdict.Best)
	for _, s := range f.Verdict.KeepAlive {
		fmt.Printf("keep-alive alone: %s takes %.0f %% less than %s\n", s.With, 100*s.Share.Value, s.Without)
	}
	// Output:
	// close: 10500 ms, 41 connections
	// keep: 3609 ms, 1 connections
	// h2: 851 ms, 1 connections
	// fastest: h2
	// keep-alive alone: keep takes 66 % less than close
}
