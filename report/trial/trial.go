// Package trial says what is to be seen of a single trial, or of any run of a client: its
// connections and requests (Exchanges), its messages on the wire (Ladder), what crossed the
// lab's link (Flows), and whether a kept connection was still there after a pause (Pauses). It
// returns tables and single lines, and lays out nothing.
package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"linger"
	"linger/compare/facts"
	"linger/finding"
	"linger/report/table"
	"linger/trace"
)

// Carriers counts the connections, and apart from them the sockets of UDP, which
// connect nothing.
func Carriers(t *trace.Trace) string {
	sockets := 0
	for _, c := range t.Connections {
		if facts.Connectionless(c) {
			sockets++
		}
	}
	switch n := len(t.Connections) - sockets; {
	case sockets == 0:
		return linger.Plural(n, "connection")
	case n == 0:
		return linger.Plural(sockets, "socket")
	default:
		return linger.Plural(sockets, "socket") + " and " + linger.Plural(n, "connection")
	}
}

// Spoken says what the connections were, where that is more than HTTP/1 in
// cleartext: " (h2, TLS 1.3)", " (udp)".
func Spoken(t *trace.Trace) string {
	var protocols, versions []string
	resumed := 0
	for _, c := range t.Connections {
		protocols = append(protocols, string(c.Protocol))
		if s, ok := c.TLS.Get(); ok {
			versions = append(versions, "TLS "+s.Version)
			if s.Resumed {
				resumed++
			}
		}
	}
	slices.Sort(protocols)
	slices.Sort(versions)
	parts := slices.DeleteFunc(slices.Compact(protocols), func(p string) bool { return p == "" })
	if len(versions) == 0 && !slices.ContainsFunc(parts, func(p string) bool { return !strings.HasPrefix(p, "http/1.") }) {
		return ""
	}
	parts = append(parts, slices.Compact(versions)...)
	if resumed > 0 {
		parts = append(parts, strconv.Itoa(resumed)+" resumed")
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// Answered reports whether anything came on a connection: where others recorded it,
// it may have been there before, and when it came about is not known.
func Answered(exchanges []trace.Exchange) bool {
	return slices.ContainsFunc(exchanges, func(e trace.Exchange) bool { return !e.FirstByte.IsZero() })
}

func OverQUIC(c trace.Connection) bool {
	return !c.QUIC.IsZero() || c.Protocol.OverQUIC()
}

// Secured reports whether a connection over TCP had TLS, or never came to have it.
func Secured(c trace.Connection) bool {
	return !c.TLS.IsZero() || !c.Established.IsZero() && c.Connected.IsZero()
}

// ByWish lists the exchanges of a trial in the order in which they were wanted.
func ByWish(t *trace.Trace) []trace.Exchange {
	return slices.SortedStableFunc(slices.Values(t.Exchanges), func(a, b trace.Exchange) int {
		return cmp.Or(cmp.Compare(a.Queued, b.Queued), cmp.Compare(a.ID, b.ID))
	})
}

// ByDial lists the connections of a trial in the order in which they were dialled,
// which is not that of their numbers in every trace.
func ByDial(t *trace.Trace) []trace.Connection {
	return slices.SortedStableFunc(slices.Values(t.Connections), func(a, b trace.Connection) int { return cmp.Compare(a.Dialled, b.Dialled) })
}

// longestPath bounds what a table shows of a URL.
const longestPath = 900

// Exchanges lists what was fetched, in the order in which it was wanted, the
// first so many. Rows are named by the exchange's number behind id, if there is one.
func Exchanges(id string, t *trace.Trace, most int) table.Table {
	numbers := map[int64]int{}
	for i, c := range ByDial(t) {
		numbers[c.ID] = i + 1
	}
	list := table.Table{Caption: "Requests", Columns: []table.Column{
		{Head: "#"}, {Head: "conn"}, {Head: "start, ms", Unit: "ms"},
		{Head: "blocked, ms", Unit: "ms", Spare: 1}, {Head: "wait, ms", Unit: "ms"},
		{Head: "recv, ms", Unit: "ms", Spare: 2}, {Head: "bytes", Unit: "B", Spare: 3}, {Head: "what", Align: table.Left, Short: 16},
	}}
	all := ByWish(t)
	for _, e := range all[:min(len(all), most)] {
		on := table.Unknown()
		if n, ok := numbers[e.Connection]; ok {
			on = table.Int(n)
		}
		row := list.Add(table.Int(e.ID+1), on, Moment(linger.Known(e.Queued)),
			Between(linger.Known(e.Queued), e.Sent), Between(e.Sent, e.FirstByte), received(e),
			table.Int(int(e.ResponseBody)), table.Word(table.Short(fetched(e), longestPath)))
		if id != "" {
			row.ID = fmt.Sprintf("%s-e%d", id, e.ID)
		}
	}
	if rest := len(all) - len(list.Rows); rest > 0 {
		list.More = "… and " + linger.Plural(rest, "request") + " more"
	}
	return list
}

// fetched says what an exchange asked for, and what came of it if that is not as usual.
func fetched(e trace.Exchange) string {
	what := Path(e.URL)
	if name, _, ok := strings.Cut(what, "?type="); ok && strings.HasPrefix(e.URL, "dns:") {
		what = strings.TrimPrefix(name, "/") // the type is its method
	}
	if e.Method != "GET" {
		what = e.Method + " " + what
	}
	switch {
	case e.Failed != "":
		return "FAILED " + what
	case e.Rcode != "" && e.Rcode != "NOERROR":
		return e.Rcode + " " + what
	case e.Truncated:
		return "TRUNCATED " + what
	case e.Status != 0 && e.Status != 200:
		return strconv.Itoa(e.Status) + " " + what
	}
	return what
}

// Known says how and where a trace came about: "lab, lte", "live", "observed (har)".
func Known(t *trace.Trace) string {
	s := t.Engine
	if t.Provenance != trace.Measured && t.Engine != "" {
		s = fmt.Sprintf("%s (%s)", t.Provenance, t.Engine)
	}
	if t.Network.Name != "" {
		s += ", " + t.Network.Name
	}
	return table.Clean(s)
}

// Moment is a point in time in ms, to a tenth.
func Moment(t linger.Opt[linger.Instant]) table.Cell {
	v, ok := t.Get()
	if !ok {
		return table.Unknown()
	}
	return table.Number(v.Milliseconds(), finding.Tenth)
}

// received is how long a response took from its first byte to its last; those of one packet
// come at once.
func received(e trace.Exchange) table.Cell {
	c := Between(e.FirstByte, e.Done)
	if v, ok := c.Value.Get(); ok && v < 0.05 {
		c.Text = "<0.1"
	}
	return c
}

// Between is the time from one instant to another in ms, to a tenth.
func Between(a, b linger.Opt[linger.Instant]) table.Cell {
	from, ok := a.Get()
	to, ok2 := b.Get()
	if !ok || !ok2 {
		return table.Unknown()
	}
	return table.Number(to.Sub(from).Seconds()*1000, finding.Tenth)
}

// Path leaves out scheme and host of a URL, the same on every line.
func Path(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
	}
	return url
}
