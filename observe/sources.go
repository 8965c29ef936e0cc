package observe

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"linger"
	"linger/audit"
	"linger/capture/har"
	"linger/capture/qlog"
	"linger/capture/zeek"
	"linger/fault"
	"linger/finding"
	"linger/trace"
)

// Names of what is read besides captures, as audit.Result.Source and its caveat have them.
const (
	ofHAR  = "har"
	ofZeek = "zeek"
	ofQlog = "qlog"
)

// name is what a file is called in messages.
func (s Source) name() string { return filepath.Base(s.Name) }

// label is what a file is called in what is written.
func (r Reading) label(sources []Source, i int) string {
	if len(r.Redact) > 0 {
		return fmt.Sprintf("file %d", i+1)
	}
	return sources[i].name()
}

// sourced says of a result what it was read from.
func (r Reading) sourced(seen *Seen, sources []Source, what string) {
	seen.Source = what
	seen.Files = nil
	for i := range sources {
		seen.Files = append(seen.Files, r.label(sources, i))
	}
	// First, since it says what all the others are about.
	seen.Caveats = slices.Insert(seen.Caveats, 0, finding.Caveat{Code: audit.CaveatSource, Subject: finding.Subject{Kind: "source", Name: what}})
}

// note adds what a file's reader had to guess or leave out.
func note(r *audit.Result, file, text string) {
	r.Caveats = append(r.Caveats, finding.Caveat{
		Code: audit.CaveatNote, Subject: finding.Subject{Kind: "file", Name: file}, Figures: finding.Figures{finding.Word("note", text)},
	})
}

// HARs reads what browsers and proxies recorded. Each file is what one client did, of which a HAR
// has no address: it is called as its file is.
func (r Reading) HARs(ctx context.Context, sources []Source) (*Seen, error) {
	if r.Scope.Client.IsValid() {
		return nil, fault.Usage("--from-client: a HAR does not say what address its client had")
	}
	return r.traces(ctx, sources, ofHAR, func(s Source, in io.Reader) (*trace.Trace, trace.Peer, error) {
		t, err := har.Read(in)
		if err == nil {
			openings(t)
			for i := range t.Connections {
				t.Connections[i].Client = s.name()
			}
		}
		return t, trace.AtClient, err
	})
}

// Qlogs reads qlogs, of which each has a connection or some.
func (r Reading) Qlogs(ctx context.Context, sources []Source) (*Seen, error) {
	return r.traces(ctx, sources, ofQlog, func(_ Source, in io.Reader) (*trace.Trace, trace.Peer, error) { return qlog.Read(in) })
}

// traces reads files of which each is a trace, as one recording.
func (r Reading) traces(ctx context.Context, sources []Source, what string, read func(Source, io.Reader) (*trace.Trace, trace.Peer, error)) (*Seen, error) {
	var all []*trace.Trace
	var began time.Time
	config := r.Audit
	timeless := 0
	for i, s := range sources {
		in := &heard{Reader: s.From}
		t, at, err := read(s, in)
		if err != nil {
			return nil, cmp.Or(fault.Stopped(ctx), fault.Unmet("%s: %w", s.name(), in.because(err)))
		}
		if i == 0 {
			config.At = at
		} else if config.At != at {
			config.At = trace.Nobody
		}
		if t.Began.IsZero() {
			timeless++
		} else if began.IsZero() || t.Began.Before(began) {
			began = t.Began
		}
		all = append(all, t)
	}
	in := r.begin(began, config)
	var ended linger.Instant
	ids := offsets{}
	for _, t := range all {
		if ids.later = 0; !t.Began.IsZero() {
			ids.later = t.Began.Sub(began)
		}
		for one := range t.Records() {
			if err := cmp.Or(ids.hand(in, one), fault.Stopped(ctx)); err != nil {
				return nil, err
			}
		}
		ids.next(t)
		ended = max(ended, t.Ended.Add(ids.later))
	}
	seen := in.end(ended)
	r.sourced(seen, sources, what)
	for i, t := range all {
		for _, n := range t.Notes {
			note(seen.Result, r.label(sources, i), n)
		}
		if t.Interrupted {
			doubt(seen.Result, r.label(sources, i), "it is cut off")
		}
	}
	if timeless > 0 && len(all) > 1 {
		note(seen.Result, "times", fmt.Sprintf("%d of %d files have no time of the day, and are taken to begin with the first", timeless, len(all)))
	}
	return seen, nil
}

// Zeek reads logs of Zeek, which are read together.
func (r Reading) Zeek(ctx context.Context, sources []Source) (*Seen, error) {
	var inputs []zeek.Input
	for _, s := range sources {
		inputs = append(inputs, zeek.Input{Name: s.name(), From: s.From})
	}
	logs, err := zeek.Open(inputs)
	if err != nil {
		return nil, cmp.Or(fault.Stopped(ctx), fault.Unmet("%w", err))
	}
	in := r.begin(logs.Began(), r.Audit)
	sum, err := logs.Read(stopping{ctx, in})
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	seen := in.end(sum.Last)
	r.sourced(seen, sources, ofZeek)
	for _, p := range sum.Problems {
		i := slices.IndexFunc(sources, func(s Source) bool { return s.name() == p.Name })
		doubt(seen.Result, r.label(sources, i), p.Err.Error())
	}
	for _, one := range []struct {
		n    int64
		text string
	}{
		{sum.Passed, "neither of TCP nor of QUIC, or of other logs, passed over"},
		{sum.Wrong, "without a time or a uid, passed over"},
		{sum.Unplaced, "of http.log whose connection is in no conn.log that is read, passed over"},
	} {
		if one.n > 0 {
			note(seen.Result, "logs", linger.Plural(int(one.n), "row")+" "+one.text)
		}
	}
	if ctx.Err() != nil {
		doubt(seen.Result, "the logs", "interrupted")
	}
	return seen, nil
}

// stopping is a sink that takes nothing more when its context has ended.
type stopping struct {
	ctx context.Context
	sink
}

func (s stopping) WriteConnection(c *trace.Connection) error {
	return cmp.Or(s.ctx.Err(), s.sink.WriteConnection(c))
}

// openings completes what a HAR says of connections: to which server each was, by the requests on
// it. Where the recorder says of some how they were opened, the others were there before.
func openings(t *trace.Trace) {
	first := map[int64]*trace.Exchange{}
	for i := range t.Exchanges {
		e := &t.Exchanges[i]
		if f := first[e.Connection]; e.Connection >= 0 && (f == nil || e.Queued < f.Queued) {
			first[e.Connection] = e
		}
	}
	for i := range t.Connections {
		c := &t.Connections[i]
		c.BeganBefore = c.Connected.IsZero()
		if f := first[c.ID]; f != nil {
			c.Server = serverOf(c.Server, f.URL)
		}
	}
}

// serverOf is a server's address and port, by its address, if that is known, and a URL.
func serverOf(address, raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return address
	}
	if a, err := netip.ParseAddrPort(address); err == nil {
		return a.String()
	}
	host := u.Hostname()
	if a, err := netip.ParseAddr(address); err == nil {
		host = a.String()
	}
	return net.JoinHostPort(host, cmp.Or(u.Port(), linger.SchemePort(u.Scheme), "0"))
}

// offsets make one recording of several traces: their numbers follow each other, and their instants
// count from the first one's beginning.
type offsets struct {
	connections, exchanges int64
	later                  time.Duration
}

// next is for the trace behind t.
func (o *offsets) next(t *trace.Trace) {
	most := int64(-1)
	for i := range t.Connections {
		most = max(most, t.Connections[i].ID)
	}
	o.connections += most + 1
	o.exchanges += int64(len(t.Exchanges))
}

// A sink takes records.
type sink interface {
	WriteConnection(*trace.Connection) error
	WriteExchange(*trace.Exchange) error
}

// hand hands a record on as one of the recording. It is a copy of its own.
func (o offsets) hand(to sink, one trace.Record) error {
	shift := func(all ...*linger.Opt[linger.Instant]) {
		for _, at := range all {
			if v, ok := at.Get(); ok {
				*at = linger.Known(v.Add(o.later))
			}
		}
	}
	if e := one.Exchange; e != nil {
		e.ID += int(o.exchanges)
		if e.Connection >= 0 {
			e.Connection += o.connections
		}
		e.Queued = e.Queued.Add(o.later)
		shift(&e.Sent, &e.FirstByte, &e.Done, &e.DoneBy, &e.Dropped)
		return to.WriteExchange(e)
	}
	c := one.Connection
	c.ID += o.connections
	c.Dialled = c.Dialled.Add(o.later)
	shift(&c.Resolving, &c.SYN, &c.SYNACK, &c.Established, &c.Connected, &c.Secured, &c.FirstByte, &c.LastByte, &c.Announced, &c.Closed, &c.Released)
	if g, ok := c.GoAway.Get(); ok {
		g.At = g.At.Add(o.later)
		c.GoAway = linger.Known(g)
	}
	return to.WriteConnection(c)
}

// Trials reads what this program did itself: every trial of a comparison with the delay of its
// path, or a fetch. Each is a recording at its client, which is called as its strategy is.
func (r Reading) trials(ctx context.Context, source Source, file *trace.File, from *heard) (*Seen, error) {
	trials, err := file.Trials()
	if err != nil {
		return nil, fault.Usage("%s: %w", source.name(), from.because(err))
	}
	var in *auditing
	config := r.Audit
	config.At = trace.AtClient
	var ended linger.Instant
	ids, n := offsets{}, 0
	engine := ""
	for {
		one, err := trials.Next()
		if err == io.EOF {
			break
		}
		if err != nil || ctx.Err() != nil {
			return nil, cmp.Or(fault.Stopped(ctx), fault.Unmet("%s: %w", source.name(), from.because(err)))
		}
		t := one.Trace
		if t == nil || one.ZeroRTT {
			continue
		}
		if in == nil {
			in = r.begin(t.Began, config)
		}
		// One begins when the one before has ended: nothing of it is left by then.
		ids.later = time.Duration(ended)
		label := fmt.Sprintf("%s, trial %d", trials.Header.Strategies[one.Strategy].Name, t.Trial+1)
		for record := range t.Records() {
			if c := record.Connection; c != nil {
				c.Client = label
				c.StillOpen = c.StillOpen || c.Closed.IsZero()
			}
			if err := ids.hand(in, record); err != nil {
				return nil, err
			}
		}
		ids.next(t)
		ended, engine = ended.Add(time.Duration(lastOf(t))), t.Engine
		n++
	}
	if in == nil {
		return nil, fault.Unmet("%s: no trial in it came to an end", source.name())
	}
	seen := in.end(ended)
	r.sourced(seen, []Source{source}, cmp.Or(engine, "trace"))
	return seen, nil
}

// lastOf is when the last thing happened in a trace, and a second.
func lastOf(t *trace.Trace) linger.Instant {
	last := t.Ended
	for i := range t.Connections {
		c := &t.Connections[i]
		last = max(last, c.Closed.Or(0), c.Released.Or(0))
	}
	return last.Add(time.Second)
}
