package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"linger/assert"
	"linger/probe"
	"linger/profile"
	"linger/report/formats"
	"linger/report/text"
)

// Bounds of a list of servers, which a person or a script has written.
const (
	longestList = 10_000  // servers
	longestLine = 1 << 16 // bytes
)

// readList reads a list of URLs, one a line. A line that cannot be probed is in the
// list too, with the reason. What stands behind a blank and a # is a comment.
func readList(r io.Reader, config probe.Config) ([]profile.Probed, error) {
	var list []profile.Probed
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, longestLine)
	for line := 1; scan.Scan(); line++ {
		text := strings.TrimSpace(strings.ToValidUTF8(scan.Text(), "?"))
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if i := strings.Index(text, " #"); i >= 0 {
			text = strings.TrimSpace(text[:i])
		}
		if text == "" || text[0] == '#' {
			continue
		}
		if len(list) == longestList {
			return nil, fmt.Errorf("more than %d servers; part it", longestList)
		}
		one := profile.Probed{Line: line, Target: text}
		config.Target = text
		if _, err := probe.Plan(config); err != nil {
			one.Failed = err.Error()
		}
		list = append(list, one)
	}
	return list, scan.Err()
}

// survey probes the servers of a list, some at once.
func (c probeCmd) survey(ctx context.Context, config probe.Config, assertions []assert.Assertion, out *outputs) error {
	from := io.Reader(out.std.in)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return usage("cannot read the list: %w", err)
		}
		defer f.Close()
		from = f
	}
	list, err := readList(from, config)
	if err != nil {
		return usage("%s: %w", c.File, err)
	}
	good := 0
	var plan probe.Outlay
	for _, one := range list {
		if one.Failed != "" {
			fmt.Fprintf(out.std.err, "linger: %s: line %d: %s\n", c.File, one.Line, oneLine(one.Failed))
			continue
		}
		good++
		each := config
		each.Target = one.Target
		if p, err := probe.Plan(each); err == nil {
			plan.Connections, plan.Requests, plan.Longest = max(plan.Connections, p.Connections), max(plan.Requests, p.Requests), max(plan.Longest, p.Longest)
		}
	}
	if good == 0 {
		return usage("%s: no line of it can be probed; write a URL a line, as https://example.org/", c.File)
	}
	rounds := (good + c.AtOnce - 1) / c.AtOnce
	fmt.Fprintf(out.std.err, "linger: servers to probe: %d, %d at once, each with at most %d connections at a time and %d requests; it takes %v at most\n",
		good, min(good, c.AtOnce), plan.Connections, plan.Requests, (time.Duration(rounds) * c.longest(plan)).Round(time.Second))

	line := watch(out, c.File+": how its servers treat connections", "server", time.Duration(rounds)*c.longest(plan))
	free := make(chan struct{}, c.AtOnce)
	var all sync.WaitGroup
	var told sync.Mutex
	done := 0
	for i := range list {
		if list[i].Failed != "" {
			continue
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			list[i].Failed = "interrupted before"
			continue
		}
		all.Go(func() {
			each := config
			each.Target = list[i].Target
			found := c.probe(ctx, each, assertions)
			switch list[i].Profile = found.profile; {
			case found.err != nil && ctx.Err() != nil:
				list[i].Failed = "interrupted before it was reached"
			case found.err != nil:
				list[i].Failed = oneLine(found.err.Error())
			}
			<-free
			told.Lock()
			defer told.Unlock()
			done++
			line.tell(probe.Progress{Done: done, Total: good})
		})
	}
	all.Wait()
	line.end()
	err = out.write(func(ending string, w io.Writer) error {
		switch ending {
		case ".json":
			return formats.SurveyJSON(w, list)
		case ".csv":
			return formats.SurveyCSV(w, list)
		case ".txt":
			return text.Survey(w, list, out.layout(w))
		}
		return programs(ending, w, formats.Probe(list, version))
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
		return statusError{status: exitInterrupted}
	case reached == 0:
		return statusError{exitUnreachable, errors.New("none of the servers can be reached")}
	}
	return verdictOn(list)
}
