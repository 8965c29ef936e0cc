package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"linger/assert"
	"linger/console"
	"linger/fault"
	"linger/legible"
	"linger/probe"
	"linger/profile"
	"linger/report/document"
)

// survey probes the servers of a list, some at once.
func (c probeCmd) survey(ctx context.Context, config probe.Config, assertions []assert.Assertion, out *console.Outputs) error {
	from, err := console.OpenInput(ctx, c.File, out.Std.In)
	if err != nil {
		return fault.Usage("cannot read the list: %w", err)
	}
	defer from.Close()
	list, err := probe.ReadList(from, config)
	if err != nil {
		return fault.Usage("%s: %w", c.File, err)
	}
	servers, of := c.listed(list, config, out.Std)
	good := len(servers)
	if good == 0 {
		return fault.Usage("%s: no line of it can be probed; write a URL a line, as https://example.org/", c.File)
	}
	most, rounds := probe.Most(servers), (good+c.AtOnce-1)/c.AtOnce
	longest := time.Duration(rounds) * c.longest(most)
	out.Std.Note("servers to probe: %d, %d at once, each with at most %d connections at a time and %d requests; it takes %v at most",
		good, min(good, c.AtOnce), most.Connections, most.Requests, longest.Round(time.Second))

	line := watch(out, c.File+": how its servers treat connections", "server", longest)
	done := 0
	one := func(ctx context.Context, server probe.Config) (*profile.Profile, error) {
		return c.probe(ctx, server, assertions)
	}
	probe.Together(ctx, servers, c.AtOnce, one, func(i int, p *profile.Profile, err error) {
		at := &list[of[i]]
		switch at.Profile = p; {
		case errors.Is(err, probe.ErrNotBegun):
			at.Failed = err.Error()
			return
		case err != nil && ctx.Err() != nil:
			at.Failed = "interrupted before it was reached"
		case err != nil:
			at.Failed = legible.Note(err.Error())
		}
		done++
		line.Tell(probe.Progress{Done: done, Total: good})
	})
	line.End()
	err = writeAs(out, c.command(), c.ShowQueries, func(w io.Writer, ending string, o document.Options) error {
		return document.WriteSurvey(w, ending, list, o)
	})
	reached := 0
	for _, one := range list {
		if one.Profile != nil {
			reached++
		}
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	case reached == 0:
		return fault.Unreachable("none of the servers can be reached")
	}
	return verdictOn(list)
}

// listed are the servers of a list that can be probed, and which lines these are. Of the others it
// says why not.
func (c probeCmd) listed(list []profile.Probed, config probe.Config, std console.Streams) (servers []probe.Config, of []int) {
	for i, one := range list {
		if one.Failed != "" {
			std.Fail(fmt.Errorf("%s: line %d: %s", c.File, one.Line, one.Failed))
			continue
		}
		config.Target = one.Target
		servers, of = append(servers, config), append(of, i)
	}
	return servers, of
}
