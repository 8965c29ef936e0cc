package flags

import (
	"cmp"
	"fmt"

	"linger"
	"linger/fault"
)

// The grid of a sweep that names none: from a city to a satellite, from a slow mobile
// network to a fast wired one.
const (
	GridRTTs   = "5ms..600ms"
	GridDowns  = "1mbit..1gbit"
	GridLosses = "0%,1%"
)

// GridFlags name a grid of networks, or some that have names.
type GridFlags struct {
	Network string `placeholder:"LIST" help:"Named networks instead of a grid: all, or some of ${networks}."`
	RTT     string `placeholder:"LIST" help:"Round-trip times: a list with commas of values and ranges in equal ratios. Default ${rtts}."`
	Down    string `placeholder:"LIST" help:"Rates towards the client, in the same way. Default ${downs}."`
	Up      string `placeholder:"RATE" help:"Rate towards the origin; default that towards the client."`
	Loss    string `placeholder:"LIST" help:"Packet loss, up and down, in the same way. Default ${losses}."`
	Queue   string `placeholder:"D" help:"Waiting room before each bottleneck, as time at its rate; default 100ms, but at least 32 packets."`
	Steps   int    `default:"12" placeholder:"N" help:"How many values a range has; default 12."`
}

// Parse returns the grid, or the networks that are named instead.
func (f GridFlags) Parse() (linger.Grid, error) {
	g := linger.Grid{Queue: linger.DefaultQueue}
	var err error
	for _, part := range []struct {
		flag, value string
		set         func(string) error
	}{
		{"--network", f.Network, func(s string) error { g.Named, err = NamedPaths(s); return err }},
		{"--rtt", cmp.Or(f.RTT, GridRTTs), func(s string) error { g.RTT, err = linger.ParseRTTs(s, f.Steps); return err }},
		{"--down", cmp.Or(f.Down, GridDowns), func(s string) error { g.Down, err = linger.ParseRates(s, f.Steps); return err }},
		{"--loss", cmp.Or(f.Loss, GridLosses), func(s string) error { g.Loss, err = linger.ParseLosses(s, f.Steps); return err }},
		{"--queue", f.Queue, func(s string) error { g.Queue, err = Duration(s); return err }},
		{"--up", f.Up, func(s string) error {
			up, err := linger.ParseRate(s)
			g.Up = linger.Known(up)
			return err
		}},
	} {
		if part.value == "" {
			continue
		}
		if err := part.set(part.value); err != nil {
			return g, fault.Usage("%s: %w", part.flag, err)
		}
	}
	for _, flag := range []struct{ name, value string }{{"--rtt", f.RTT}, {"--down", f.Down}, {"--up", f.Up}} {
		if f.Network != "" && flag.value != "" {
			return g, fault.Usage("%s: the named networks have theirs; leave it out, or --network", flag.name)
		}
	}
	if err := g.Validate(); err != nil {
		return g, fault.Usage("%w", err)
	}
	return g, nil
}

// Words are the flags that differ from the defaults.
func (f GridFlags) Words() []string {
	return Settings([][3]string{
		{"--network", f.Network, ""}, {"--rtt", f.RTT, ""}, {"--down", f.Down, ""}, {"--up", f.Up, ""},
		{"--loss", f.Loss, GridLosses}, {"--queue", f.Queue, ""}, {"--steps", fmt.Sprint(f.Steps), "12"},
	})
}
