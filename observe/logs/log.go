// Package logs reads access logs, in one file or several, into a tuning: their formats, their order
// of time, what of them gives reason to doubt, and a server's configuration beside them.
package logs

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"linger/capture/weblog"
	"linger/fault"
	"linger/finding"
	"linger/observe"
	"linger/tune"
)

// A Log is an access log, in one file or several, that is read into a tuning.
type Log struct {
	Format string // of its lines, as a server's configuration has it; empty is to be found
	Fields string // names in lines of JSON
	Clock  string // "start", "end": what the time of a line is the time of, where the format is silent
	Zone   *time.Location
	// Forwarded says that those share connections who are first in X-Forwarded-For, and not
	// whose address connected.
	Forwarded bool
	Now       time.Time // against which a log of the future is told; the zero Time is not known
	From, To  time.Time // of the requests that count; the zero Time is no bound

	// Tuning says what is held against what, as far as the log does not.
	Tuning tune.Config
}

// batchSize is how many arrivals are handed on at once.
const batchSize = 4096

// slack is by how much clocks may differ.
const slack = 5 * time.Minute

// Read takes all files in, in order of time, and says what was found.
func (l Log) Read(ctx context.Context, sources []observe.Source, asked tune.Asked) (*tune.Result, error) {
	parts, err := l.open(sources)
	defer func() {
		for _, p := range parts {
			p.source.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	config := l.config(parts)
	a := tune.New(config)
	l.merge(ctx, parts, a.Add)
	if asked.Software == "" {
		asked.Software = softwareOf(parts)
	}
	if asked.RTT == 0 {
		asked.RTT = medianRTT(parts)
	}
	r := a.End(asked)
	if r.Requests == 0 && ctx.Err() == nil {
		return nil, fault.Unmet("no request is left: --from and --to leave none")
	}
	r.Log = facts(parts, config)
	r.Log.Software = asked.Software
	r.Caveats = append(r.Caveats, logDoubts(parts)...)
	if began, err := time.Parse(time.RFC3339, r.Began); err == nil && !l.Now.IsZero() {
		last := began.Add(time.Duration(r.Span * float64(time.Second)))
		if ahead := last.Sub(l.Now); ahead > slack {
			r.Caveats = append(r.Caveats, finding.Caveat{Code: tune.CaveatFuture, Decisive: true, Figures: finding.Figures{finding.Number("ahead", 1000*ahead.Seconds(), "ms")}})
		}
	}
	return r, nil
}

// open begins to read the files, and finds their format. What is returned has to be closed,
// whatever the error.
func (l Log) open(sources []observe.Source) (parts []*part, err error) {
	for _, s := range sources {
		p, err := l.part(s)
		if err != nil {
			return parts, err
		}
		if p != nil {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return nil, fault.Unmet("there is no request in the log: it is empty")
	}
	// Rotated logs follow each other in time, whatever they are called.
	slices.SortStableFunc(parts, func(a, b *part) int { return cmp.Compare(a.first, b.first) })
	return parts, nil
}

// merge hands on the arrivals of all parts that count, in order of time. A part is begun when
// what comes before it has been handed on.
func (l Log) merge(ctx context.Context, parts []*part, add func(tune.Arrival)) {
	from, to := int64(-1<<63), int64(1<<63-1)
	if !l.From.IsZero() {
		from = l.From.UnixNano()
	}
	if !l.To.IsZero() {
		to = l.To.UnixNano()
	}
	merge := merging{}
	defer merge.stop()
	for i, p := range parts {
		next := int64(1<<63 - 1)
		if i+1 < len(parts) {
			next = parts[i+1].first
		}
		merge.begin(ctx, p)
		merge.until(next, func(r *tune.Arrival) {
			if int64(r.Start) >= from && int64(r.Start) < to {
				add(*r)
			}
		})
	}
}

// config is what the layouts say of the arrivals, beside what is asked for.
func (l Log) config(parts []*part) tune.Config {
	c := l.Tuning
	c.Durations = true
	for _, p := range parts {
		c.Resolution = max(c.Resolution, p.layout.Resolution)
		c.Durations = c.Durations && p.layout.Has.Has(weblog.Duration) && p.layout.Clock != weblog.Unstated
	}
	return c
}

// facts are what was read.
func facts(parts []*part, c tune.Config) *tune.Log {
	first := parts[0].layout
	facts := &tune.Log{Layout: first.Name, Clock: first.Clock.String(), Resolution: c.Resolution.Seconds(), Durations: c.Durations}
	switch {
	case first.Has.Has(weblog.Connection):
		facts.Connections = "number"
	case first.Has.Has(weblog.ClientPort):
		facts.Connections = "port"
	case first.Has.Has(weblog.Number):
		facts.Connections = "request number"
	}
	for _, p := range parts {
		facts.Files = append(facts.Files, p.name)
		facts.Lines += p.lines
		facts.Bad += p.bad
		facts.Bytes += p.source.Bytes
	}
	return facts
}

// softwareOf is what has written the log, where its format tells and is not one that people
// give to others, too.
func softwareOf(parts []*part) string {
	name := parts[0].layout.Name
	for _, known := range [][2]string{{"AWS ALB", "aws-alb"}, {"HAProxy", "haproxy"}, {"Envoy", "envoy"}, {"Caddy", "caddy"}, {"Traefik", "traefik"}, {"ingress-nginx", "nginx"}} {
		if strings.HasPrefix(name, known[0]) {
			return known[1]
		}
	}
	return ""
}

// medianRTT is the median of the round trips that the log has, 0 if it has none.
func medianRTT(parts []*part) time.Duration {
	var all []int64
	for _, p := range parts {
		all = append(all, p.rtt.list...)
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return time.Duration(all[len(all)/2])
}

// logDoubts are what the log itself gives reason to doubt.
func logDoubts(parts []*part) (all []finding.Caveat) {
	add := func(code, file string, f ...finding.Figure) {
		c := finding.Caveat{Code: code, Figures: f}
		if file != "" {
			c.Subject = finding.Subject{Kind: "file", Name: file}
		}
		all = append(all, c)
	}
	for _, p := range parts {
		if n := p.bad; n > 0 {
			add(tune.CaveatBad, p.name, finding.Number("lines", float64(n), ""), finding.Number("of", float64(p.lines), ""), finding.Word("first", p.firstBad))
		}
		if p.problem != nil {
			add(tune.CaveatFile, p.name, finding.Word("reason", p.problem.Error()))
		}
	}
	if parts[0].layout.Clock == weblog.Unstated {
		add(tune.CaveatStart, "")
	}
	return all
}
