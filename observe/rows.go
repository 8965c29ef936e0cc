package observe

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"linger"
	"linger/fault"
	"linger/finding"
	"linger/records"
	"linger/trace"
)

// rows hand what is looked at to writers of records, in the order in which the audit takes it in.
type rows struct {
	to []*records.Writer
	// held are exchanges of connections of which it is not known yet whether they are looked at;
	// nil where all are.
	held map[int64][]trace.Exchange
	n    int
}

// mostHeldRows bounds them. What is beyond it is written as it comes.
const mostHeldRows = 1 << 17

// begun begins the files of rows.
func (r Reading) begun(s trace.Stream) rows {
	for _, w := range r.Rows {
		w.Begin(s)
	}
	out := rows{to: r.Rows}
	if len(r.Rows) > 0 && !r.Scope.isAll() {
		out.held = map[int64][]trace.Exchange{}
	}
	return out
}

// isAll reports whether all connections are looked at.
func (s Scope) isAll() bool {
	return !s.Client.IsValid() && s.Origin == "" && s.Port == 0 && s.Filter == nil && s.From == (Moment{}) && s.To == (Moment{})
}

// exchange takes an exchange, and connection its connection, if it is looked at. An error of a writer
// stays there.
func (r *rows) exchange(e *trace.Exchange, hidden Redaction) {
	if len(r.to) == 0 {
		return
	}
	if len(hidden) > 0 {
		one := hidden.rowOf(*e)
		e = &one
	}
	if r.held != nil && e.Connection >= 0 && r.n < mostHeldRows {
		r.held[e.Connection] = append(r.held[e.Connection], *e)
		r.n++
		return
	}
	for _, w := range r.to {
		w.WriteExchange(e)
	}
}

func (r *rows) connection(c *trace.Connection, hidden Redaction) {
	held := r.held[c.ID]
	r.ignore(c.ID)
	if len(hidden) > 0 {
		one := *c
		one.Surplus = linger.Opt[trace.Surplus]{}
		if g, ok := one.GoAway.Get(); ok {
			g.Debug = ""
			one.GoAway = linger.Known(g)
		}
		c = &one
	}
	for _, w := range r.to {
		for i := range held {
			w.WriteExchange(&held[i])
		}
		w.WriteConnection(c)
	}
}

func (r *rows) ignore(id int64) {
	r.n -= len(r.held[id])
	delete(r.held, id)
}

func (r *rows) turn(connection int64, at linger.Instant, client, server netip.Addr, hidden Redaction) {
	if len(r.to) == 0 {
		return
	}
	if len(hidden) > 0 {
		client, server = hidden.another(client), hidden.another(server)
	}
	for _, w := range r.to {
		w.WriteTurn(connection, at, client, server)
	}
}

// rowOf is an exchange, which names nobody any more, without what was asked: paths are others, the
// same for the same.
func (r Redaction) rowOf(e trace.Exchange) trace.Exchange {
	if scheme, rest, ok := strings.Cut(e.URL, "://"); ok {
		host, path, _ := strings.Cut(rest, "/")
		path, _, _ = strings.Cut(path, "?")
		e.URL = scheme + "://" + host + "/path-" + r.keyed(path)
	} else {
		e.URL = "path-" + r.keyed(e.URL)
	}
	e.Redirect, e.Initiator, e.Referer, e.Page, e.Failed = "", "", "", "", ""
	return e
}

// another is an address of a network that nobody routes to (RFC 4193), the same for the same.
func (r Redaction) another(a netip.Addr) netip.Addr {
	h := hmac.New(sha256.New, r)
	h.Write(a.Unmap().AsSlice())
	out := [16]byte(h.Sum(nil)[:16])
	out[0] = 0xfd
	return netip.AddrFrom16(out)
}

// Recording is what records of what was seen have in common.
func (s *Seen) Recording() records.Recording {
	out := records.Recording{Ended: int64(s.ended), Packets: s.Result.Recording, Filtered: s.Filtered, Source: s.Source, Joined: s.Joined}
	out.Files = s.Files
	// Caveats of the reading stand before and behind those of the audit.
	all, own := s.Caveats, s.audited
	if len(own) == 0 {
		out.After = all
		return out
	}
	for i := 0; i+len(own) <= len(all); i++ {
		if reflect.DeepEqual(all[i:i+len(own)], own) {
			out.Before, out.After = slices.Clone(all[:i]), slices.Clone(all[i+len(own):])
			break
		}
	}
	return out
}

// Parquet reads records, as -o FILE.parquet writes them.
func (r Reading) Parquet(ctx context.Context, source Source) (*Seen, error) {
	name := filepath.Base(source.Name)
	if source.At == nil {
		return nil, fault.Usage("%s: a Parquet file is read from its end; name the file", name)
	}
	file, err := records.Open(source.At, source.Size)
	if err != nil {
		return nil, cmp.Or(fault.Stopped(ctx), fault.Unmet("%s: %w", name, err))
	}
	of := file.Recording
	config := r.Audit
	config.At = of.At
	in := r.begin(of.Began, config)
	n := 0
	err = file.Read(func(row *records.Row) error {
		if n++; n%4096 == 0 {
			r.Pace.adapt()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if r.Tell != nil {
				r.Tell(n)
			}
		}
		switch row.Record {
		case records.OfConnection:
			return in.WriteConnection(row.Connection)
		case records.OfExchange:
			return in.WriteExchange(row.Exchange)
		case records.OfTurn:
			client, _ := netip.ParseAddr(row.Turn.Client)
			server, err := netip.ParseAddr(row.Turn.Server)
			if err == nil && client.IsValid() {
				in.Turn(row.Turn.Connection, row.Turn.At, client, server)
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		return nil, fault.Unmet("%s: %w", name, err)
	}
	seen := in.end(linger.Instant(of.Ended))
	seen.Files, seen.Result.Recording = of.Files, of.Packets
	seen.Filtered += of.Filtered
	seen.Source, seen.Joined = of.Source, of.Joined
	seen.Caveats = slices.Concat(of.Before, seen.Caveats, of.After)
	if len(r.Redact) > 0 {
		seen.Files = []string{"file 1"}
		seen.Caveats = slices.DeleteFunc(seen.Caveats, func(c finding.Caveat) bool { return c.Subject.Kind == "file" })
	}
	if ctx.Err() != nil {
		doubt(seen.Result, name, "interrupted")
	}
	return seen, nil
}
