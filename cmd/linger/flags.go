package main

import (
	"fmt"
	"time"

	"linger"
)

// wideFlag is the same in every verb that prints text.
type wideFlag struct {
	Wide bool `help:"Print every table and every column, however many lines that takes; from 140 columns on they are printed anyway."`
}

// networkFlags name a path and override any part of it; the same in every verb.
type networkFlags struct {
	Network string `default:"${network}" placeholder:"NAME" help:"The path: ${networks}; default ${network}."`
	RTT     string `placeholder:"D" help:"Round-trip time of the empty path, as 90ms."`
	Down    string `placeholder:"RATE" help:"Rate towards the client, as 12mbit; 0 is unlimited."`
	Up      string `placeholder:"RATE" help:"Rate towards the origin."`
	Loss    string `placeholder:"SHARE" help:"Packets lost each way, as 1%."`
	Queue   string `placeholder:"D" help:"Waiting room before each bottleneck, as time at its rate; default 100ms, but at least 32 packets."`
}

// parse returns the path with its overrides; its name then tells that it differs.
func (f networkFlags) parse() (linger.Network, error) {
	n, err := linger.ParseNetwork(f.Network)
	if err != nil {
		return n, usage("%w", err)
	}
	plain := n
	for _, part := range []struct {
		flag, value string
		set         func(string) error
	}{
		{"--rtt", f.RTT, func(s string) error { n.RTT, err = parseDuration(s); return err }},
		{"--queue", f.Queue, func(s string) error { n.Queue, err = parseDuration(s); return err }},
		{"--down", f.Down, func(s string) error { n.Down, err = linger.ParseRate(s); return err }},
		{"--up", f.Up, func(s string) error { n.Up, err = linger.ParseRate(s); return err }},
		{"--loss", f.Loss, func(s string) error { n.Loss, err = linger.ParseLoss(s); return err }},
	} {
		if part.value == "" {
			continue
		}
		if err := part.set(part.value); err != nil {
			return n, usage("%s: %w", part.flag, err)
		}
	}
	if n != plain {
		n.Name += "*"
	}
	if err := n.Validate(); err != nil {
		return n, usage("%w", err)
	}
	return n, nil
}

// words are the flags that differ from the defaults.
func (f networkFlags) words() []string {
	var words []string
	for _, part := range []struct{ flag, value, standard string }{
		{"--network", f.Network, linger.DefaultNetwork}, {"--rtt", f.RTT, ""}, {"--down", f.Down, ""},
		{"--up", f.Up, ""}, {"--loss", f.Loss, ""}, {"--queue", f.Queue, ""},
	} {
		if part.value != part.standard {
			words = append(words, part.flag, quote(part.value))
		}
	}
	return words
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration; write 90ms, 1.5s or 2m", s)
	}
	return d, nil
}
