package observe

import (
	"cmp"
	"context"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/audit"
	"linger/audit/timeline"
	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/capture/secrets"
	"linger/fault"
	"linger/finding"
	"linger/records"
	"linger/trace"
)

// A Reading is how captures, or records of one, are read into an audit.
type Reading struct {
	Scope  Scope
	Audit  audit.Config // its Each, if any, gets each connection whose cause is decided
	Redact Redaction
	Find   string // keep the requests whose URL holds this
	// Rows take what is looked at, in the order in which it comes.
	Rows []*records.Writer
	// Timeline, if not nil, takes in what is looked at, to be drawn.
	Timeline *timeline.Collector
	// KeyLogs are key logs of TLS, which may be written to meanwhile. Secrets that captures hold
	// are used, too.
	KeyLogs []Source
	// Join is the capture of the same traffic at the servers, where what is read is that of the
	// clients; nil is none.
	Join *Source
	Pick bool // remember whose packets are worth keeping, for Seen.WritePackets

	MaxTracked int              // how many connections may be open at once; 0 is the default
	Pace       *Pace            // of the garbage collector
	Tell       func(frames int) // how far it has come; nil tells nobody
}

// A Seen is what came of a reading.
type Seen struct {
	*audit.Result
	Timeline *timeline.Timeline // nil where none was asked for
	Found    []audit.Found      // requests that hold what was to be found
	picked   selection
	limit    int // of the connections that were tracked
	keys     *secrets.Log
	// ended is when the recording did, and audited are the caveats of the audit, without those of
	// the reading.
	ended   linger.Instant
	audited []finding.Caveat
}

// Captures reads capture files, of which one may follow the other or lie beside it.
func (r Reading) Captures(ctx context.Context, sources []Source) (*Seen, error) {
	files, err := open(sources)
	if err != nil {
		return nil, cmp.Or(fault.Stopped(ctx), fault.Unmet("%w", err))
	}
	in := r.begin(files.Began(), r.Audit)
	keys := r.keys(files, sources)
	if in.far, err = r.farEnd(ctx, sources[0].Name); err != nil {
		return nil, err
	}
	if in.far != nil {
		keys.log.Add(in.far.secrets)
	}
	reader := packet.New(packet.Options{MaxTracked: r.MaxTracked, Keys: keys.log}, in)
	for n := 0; ; n++ {
		if n%4096 == 0 {
			if ctx.Err() != nil {
				break
			}
			r.Pace.adapt()
			if r.Tell != nil {
				r.Tell(n)
			}
		}
		f, err := files.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			keys.follow()
			err = reader.Add(f)
		}
		if err != nil {
			return nil, err
		}
	}
	sum := reader.Finish()
	sum.Read(files)
	seen := in.end(sum.Last.Or(0))
	seen.keys = keys.log
	if err := r.summarize(seen.Result, &sum); err != nil {
		return nil, err
	}
	if in.far != nil && ctx.Err() == nil {
		if err := in.far.tell(r, seen.Result, in.began, sum.Last.Or(0)); err != nil {
			return nil, err
		}
	}
	keys.doubt(seen.Result, len(r.Redact) > 0)
	if ctx.Err() != nil {
		doubt(seen.Result, "the recording", "interrupted")
	}
	return seen, nil
}

// open opens capture files.
func open(sources []Source) (*pcap.Files, error) {
	var inputs []pcap.Input
	for _, s := range sources {
		inputs = append(inputs, pcap.Input{Name: s.Name, From: s.From})
	}
	return pcap.Open(inputs)
}

// Records reads a trace file: a stream of records, as a capture was written to one, or the trials
// of a comparison or a fetch.
func (r Reading) Records(ctx context.Context, source Source) (*Seen, error) {
	name, from := filepath.Base(source.Name), &heard{Reader: source.From}
	file, err := trace.Open(from)
	if err != nil {
		return nil, fault.Usage("%s: %w", name, from.because(err))
	}
	if file.Kind != trace.KindStream {
		return r.trials(ctx, source, file, from)
	}
	stream, err := file.Stream()
	if err != nil {
		return nil, fault.Usage("%s: %w", name, from.because(err))
	}
	config := r.Audit
	config.At = stream.Header.At
	in := r.begin(stream.Header.Began, config)
	var problem error
	n := 0
	for one, err := range stream.Records() {
		if n++; n%4096 == 0 {
			r.Pace.adapt()
		}
		if err != nil {
			problem = err
			break
		}
		if one.Connection != nil {
			err = in.WriteConnection(one.Connection)
		} else {
			err = in.WriteExchange(one.Exchange)
		}
		if err != nil || ctx.Err() != nil {
			return nil, cmp.Or(err, fault.Stopped(ctx))
		}
	}
	seen := in.end(stream.End.Ended)
	if len(r.Redact) == 0 {
		seen.Files = []string{name}
	}
	if problem != nil {
		if seen.Connections == 0 {
			return nil, fault.Unmet("%s: %w", name, problem)
		}
		doubt(seen.Result, name, problem.Error())
	}
	return seen, nil
}

// An auditing is a reading under way: it takes records in and hands them on to the audit.
type auditing struct {
	Reading
	audit    *audit.Auditor
	began    time.Time
	from, to linger.Instant
	hits     []audit.Found
	picked   selection
	far      *farEnd // of the other end, or nil
	rows     rows
}

// begin begins with a recording that began then.
func (r Reading) begin(began time.Time, config audit.Config) *auditing {
	if r.Timeline != nil {
		r.Timeline.Paths = len(r.Redact) == 0
	}
	in := &auditing{Reading: r, began: began, picked: selection{on: r.Pick}}
	in.from, in.to = r.Scope.window(began)
	in.rows = r.begun(trace.Stream{Engine: "capture", Provenance: trace.Observed, Began: began, At: config.At})
	config.Each = in.each
	in.audit = audit.New(config)
	return in
}

// end ends with a recording that ended then.
func (in *auditing) end(at linger.Instant) *Seen {
	r := in.audit.End(at)
	if !in.began.IsZero() {
		r.Began = in.began.Format(time.RFC3339Nano)
	}
	return &Seen{Result: r, Timeline: in.Timeline.End(linger.Instant(r.Recorded * 1e6)), Found: in.hits, picked: in.picked, limit: in.MaxTracked, ended: at, audited: slices.Clone(r.Caveats)}
}

// Turn hands on that a connection comes or goes.
func (in *auditing) Turn(connection int64, at linger.Instant, client, server netip.Addr) {
	in.rows.turn(connection, at, client, server, in.Redact)
	in.audit.Turn(connection, at, client, server)
}

// WriteExchange hands an exchange on.
func (in *auditing) WriteExchange(e *trace.Exchange) error {
	in.find(e)
	if len(in.Redact) > 0 {
		one := in.Redact.exchange(*e)
		e = &one
	}
	in.rows.exchange(e, in.Redact)
	in.Timeline.Exchange(e)
	return in.audit.WriteExchange(e)
}

// WriteConnection hands a connection on, if it is looked at. One that was opened before the
// beginning of what is looked at is one that began before.
func (in *auditing) WriteConnection(c *trace.Connection) error {
	in.picked.tunnel(c)
	if in.far != nil {
		both := *c
		in.far.Near(&both, in.began)
		c = &both
	}
	if !in.Scope.fits(c) {
		return in.ignore(c.ID)
	}
	one := *c
	switch ended := c.Closed.Or(c.LastByte.Or(c.Dialled)); {
	case c.Dialled > in.to, c.Dialled < in.from && ended < in.from && !c.StillOpen:
		return in.ignore(c.ID)
	case c.Dialled < in.from:
		one.BeganBefore = true
	}
	if len(in.Redact) > 0 {
		one = in.Redact.connection(one)
	}
	in.rows.connection(&one, in.Redact)
	in.Timeline.Connection(&one)
	return in.audit.WriteConnection(&one)
}

// ignore says that a connection is not looked at.
func (in *auditing) ignore(id int64) error {
	in.rows.ignore(id)
	in.Timeline.Ignore(id)
	return in.audit.Ignore(id)
}

// each takes in a connection whose cause is decided.
func (in *auditing) each(r audit.Row) {
	in.Timeline.Row(r)
	if each := in.Audit.Each; each != nil {
		each(r)
	}
	found := in.Find == "" && r.Cause.Of().Avoidable
	for i := range in.hits {
		if h := &in.hits[i]; h.Connection == r.ID {
			h.On, found = linger.Known(r), true
		}
	}
	in.picked.add(r, found)
}

// mostHits bounds how many requests are kept.
const mostHits = 1000

// find keeps a request that is to be found.
func (in *auditing) find(e *trace.Exchange) {
	if in.Find == "" || len(in.hits) == mostHits || !strings.Contains(e.URL, in.Find) {
		return
	}
	one := *e
	if len(in.Redact) > 0 {
		one = in.Redact.found(one)
	}
	one.URL, one.Method = strings.Clone(one.URL), strings.Clone(one.Method)
	in.hits = append(in.hits, audit.Found{Exchange: one})
}
