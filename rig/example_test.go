package rig_test

import (
	"context"
	"fmt"
	"time"

	"linger"
	"linger/rig"
	"linger/run"
)

// A simulator predicts what the same plan would take in a lab: a page with three objects of one
// segment each takes eight round trips with a connection for each of the four, and five with one.
func Example() {
	strategies, err := linger.ParseStrategies("close,keep")
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := run.Run(context.Background(), rig.Sim{}, run.Plan{
		Workload: linger.Textbook(3), Strategies: strategies, Seed: 1, Trials: 1, Workers: 1,
		Network: linger.Network{Name: "example", RTT: 100 * time.Millisecond, Down: linger.Gbps, Up: linger.Gbps, Queue: linger.DefaultQueue},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, s := range x.Strategies {
		fmt.Printf("%s: %.0f round trips\n", s.Name, x.Traces[i][0].Ended.Sub(0).Seconds()/0.1)
	}
	// Output:
	// close: 8 round trips
	// keep: 5 round trips
}
