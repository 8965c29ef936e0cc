package text

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/finding"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/trial"
	"linger/trace"
)

// The phases of a connection, each with a letter of its own; of one that
// multiplexes, receiving has eight. Where two fall into
// one column, the later of this list is drawn.
const (
	nothing   = ' '
	idle      = '·'
	waiting   = '─'
	handshake = '▒' // of TCP
	securing  = '░' // the handshake of TLS, or of QUIC, which has that of TLS in it
	receiving = '█'
	further   = '▓' // receiving too: every other response, to tell it from its neighbours
)

var rank = map[rune]int{nothing: 0, idle: 1, waiting: 2, handshake: 3, securing: 4, receiving: 5, further: 5}

// falls are how many connections and requests are shown: tried until one fits on a screen.
var falls = [][2]int{{24, 24}, {16, 12}, {12, 8}, {12, 5}, {12, 0}, {9, 0}, {6, 0}}

// Waterfall writes one trace: a line a connection along the time axis, with the
// handshake, the waiting and the receiving, and the requests as a list. It fits on a
// screen, unless all is wanted.
func Waterfall(w io.Writer, t *trace.Trace, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.waterfall(b, t, len(t.Connections), len(t.Exchanges)) })
	}
	return o.Fitting(w, len(falls), func(b *bufio.Writer, i int) { o.waterfall(b, t, falls[i][0], falls[i][1]) })
}

func (o Options) waterfall(b *bufio.Writer, t *trace.Trace, most, requests int) {
	head := fmt.Sprintf("%s: %s over %s%s in %s", cmp.Or(t.Workload, "workload"), linger.Plural(len(t.Exchanges), "request"),
		trial.Carriers(t), trial.Spoken(t), finding.Instant(t.Ended))
	if how := trial.Known(t); how != "" {
		head += " · " + how
	}
	o.Write(b, head, "", "", terminal.Bold)
	conns := trial.ByDial(t)
	if len(conns) > 0 && t.Ended > 0 {
		b.WriteString("\n")
		o.lanes(b, t, conns, most)
	}
	if len(t.Exchanges) > 0 {
		b.WriteString("\n")
		o.exchanges(b, t, requests)
	}
}

// lanes draws the connections.
func (o Options) lanes(b *bufio.Writer, t *trace.Trace, conns []trace.Connection, most int) {
	shown := conns[:min(len(conns), most)]
	label := max(len("conn"), len(strconv.Itoa(len(shown)))) + terminal.Gap
	const tail = 14 // "  by the server"
	n := o.Columns() - label - tail
	of := map[int64][]trace.Exchange{}
	for _, e := range t.Exchanges {
		of[e.Connection] = append(of[e.Connection], e)
	}
	highest := 0 // responses at once, over all that multiplex
	for _, c := range shown {
		if multiplexed(c, of[c.ID]) {
			highest = max(highest, slices.Max(atOnce(of[c.ID], t.Ended, n, responding)))
		}
	}
	top, ticks := axis(t.Ended, n)
	b.WriteString(o.Paint(terminal.Left("", label)+terminal.Left(top, n)+"  closed by", terminal.Faint) + "\n")
	b.WriteString(o.Paint(terminal.Left("conn", label)+ticks, terminal.Faint) + "\n")
	for i, c := range shown {
		by := "open"
		switch {
		case c.Connected.IsZero() && !trial.Answered(of[c.ID]):
			by = "unconnected"
		case c.ClosedBy != trace.Nobody:
			by = table.Short(string(c.ClosedBy), len("unconnected"))
		}
		if !c.Surplus.IsZero() {
			by += "!" // a caveat tells of it
		}
		b.WriteString(terminal.Right(strconv.Itoa(i+1), label-terminal.Gap) + strings.Repeat(" ", terminal.Gap) + terminal.Left(lane(c, of[c.ID], t.Ended, n, highest), n) + "  " + by + "\n")
	}
	if rest := len(conns) - len(shown); rest > 0 {
		b.WriteString(o.Paint(strings.Repeat(" ", label)+"… and "+linger.Plural(rest, "connection")+" more (--wide)", terminal.Faint) + "\n")
	}
	o.Write(b, phases(shown, of, highest), "", "", terminal.Faint)
}

// phases is the legend of what the lanes of those connections show.
func phases(conns []trace.Connection, of map[int64][]trace.Exchange, most int) string {
	var quic, tls, tcp, single bool
	for _, c := range conns {
		switch {
		case facts.Connectionless(c):
		case trial.OverQUIC(c):
			quic = true
		case trial.Secured(c):
			tls = true
		default:
			tcp = true
		}
		single = single || !multiplexed(c, of[c.ID])
	}
	var parts []string
	switch {
	case tls:
		parts = append(parts, string(handshake)+" TCP handshake", string(securing)+" TLS")
	case tcp:
		parts = append(parts, string(handshake)+" handshake")
	}
	if quic {
		parts = append(parts, string(securing)+" QUIC handshake")
	}
	parts = append(parts, string(waiting)+" waiting")
	switch {
	case single:
		parts = append(parts, fmt.Sprintf("%c %c receiving, in turn", receiving, further))
	case most == 1:
		parts = append(parts, fmt.Sprintf("%c receiving", receiving))
	}
	if most > 1 {
		parts = append(parts, fmt.Sprintf("%c to %c receiving 1 to %d at once", terminal.Levels[0], terminal.Levels[len(terminal.Levels)-1], most))
	}
	s := strings.Join(append(parts, string(idle)+" idle"), ", ")
	switch {
	case single && slices.ContainsFunc(conns, func(c trace.Connection) bool { return multiplexed(c, of[c.ID]) }):
		return s + "; numbers are requests, ×N requests in flight"
	case single:
		return s + "; numbers are requests"
	}
	return s + "; ×N requests in flight"
}

// multiplexed reports whether a connection is drawn by how much it does at once,
// as its exchanges cannot be told apart.
func multiplexed(c trace.Connection, exchanges []trace.Exchange) bool {
	if c.Protocol == linger.DNSOverTCP || c.Protocol == linger.DNSOverTLS {
		// Whoever does not wait may be answered in any order (RFC 7766, 7).
		exchanges = slices.SortedFunc(slices.Values(exchanges), func(a, b trace.Exchange) int {
			return cmp.Compare(a.Sent.Or(linger.Never), b.Sent.Or(linger.Never))
		})
		for i := 1; i < len(exchanges); i++ {
			if exchanges[i].Sent.Or(linger.Never) < exchanges[i-1].Done.Or(0) {
				return true
			}
		}
		return false
	}
	return c.Protocol.Multiplexed() && len(exchanges) > 1
}

// span returns the columns, of n from 0 to end, that a phase is drawn over. The
// column in which it ends belongs to what follows, so that it is drawn as long as
// it lasted; a phase shorter than a column still has one.
func span(from, to, end linger.Instant, n int) (first, last int) {
	first = place(from, end, n)
	last = max(first, int(math.Ceil(float64(to)/float64(end)*float64(n)))-1)
	return first, min(last, n-1)
}

// place returns the column, of n, that an instant lies in.
func place(at, end linger.Instant, n int) int {
	return min(n-1, max(0, int(float64(at)/float64(end)*float64(n))))
}

// lane draws one connection over n columns from 0 to end. The most responses at
// once are those of the highest level.
func lane(c trace.Connection, exchanges []trace.Exchange, end linger.Instant, n, most int) string {
	cells := slices.Repeat([]rune{nothing}, n)
	draw := func(from, to linger.Instant, phase rune) {
		first, last := span(from, to, end, n)
		for i := first; i <= last; i++ {
			if rank[phase] > rank[cells[i]] {
				cells[i] = phase
			}
		}
	}
	closed := min(end, c.Closed.Or(end))
	if connected, ok := c.Connected.Get(); ok {
		draw(connected, closed, idle)
	}
	ready := c.Secured.Or(c.Connected.Or(closed))
	switch {
	case facts.Connectionless(c):
	case c.Connected.IsZero() && trial.Answered(exchanges):
		draw(c.Dialled, closed, idle)
	case trial.OverQUIC(c):
		draw(c.Dialled, ready, securing)
	case trial.Secured(c):
		established := c.Established.Or(c.Dialled) // not waited for with TCP Fast Open
		if established > c.Dialled {
			draw(c.Dialled, established, handshake)
		}
		if established < ready {
			draw(established, ready, securing)
		}
	default:
		draw(c.Dialled, c.Established.Or(ready), handshake)
	}
	exchanges = slices.SortedStableFunc(slices.Values(exchanges), func(a, b trace.Exchange) int {
		return cmp.Compare(a.FirstByte.Or(linger.Never), b.FirstByte.Or(linger.Never))
	})
	for i, e := range exchanges {
		sent, ok := e.Sent.Get()
		if !ok {
			continue
		}
		done := e.Done.Or(closed)
		first := e.FirstByte.Or(done)
		draw(sent, first, waiting)
		if !e.FirstByte.IsZero() {
			draw(first, done, []rune{receiving, further}[i%2])
		}
	}
	if multiplexed(c, exchanges) {
		heights(cells, atOnce(exchanges, end, n, responding), most)
		inFlight(cells, atOnce(exchanges, end, n, asked))
	} else {
		number(cells, exchanges, func(at linger.Instant) int { return place(at, end, n) })
	}
	return strings.TrimRight(string(cells), " ")
}

// heights draws each column of receiving as high as there are responses in it.
func heights(cells []rune, count []int, most int) {
	for i, c := range cells {
		if count[i] > 0 && (c == receiving || c == further) {
			cells[i] = terminal.Levels[(min(count[i], most)*len(terminal.Levels)-1)/most]
		}
	}
}

// inFlight writes into each stretch of waiting, where there is room, how many
// requests are in flight in it.
func inFlight(cells []rune, count []int) {
	for i := 0; i < len(cells); i++ {
		stretch := i
		for i < len(cells) && cells[i] == waiting {
			i++
		}
		if i == stretch {
			continue
		}
		text := []rune("×" + strconv.Itoa(slices.Max(count[stretch:i])))
		if len(text) <= i-stretch {
			copy(cells[stretch:], text)
		}
	}
}

// atOnce counts the exchanges that are in a phase, in each of n columns.
func atOnce(exchanges []trace.Exchange, end linger.Instant, n int, phase func(trace.Exchange) (from, to linger.Opt[linger.Instant])) []int {
	count := make([]int, n)
	for _, e := range exchanges {
		from, to := phase(e)
		if from.IsZero() {
			continue
		}
		first, last := span(from.Or(0), to.Or(end), end, n)
		for i := first; i <= last; i++ {
			count[i]++
		}
	}
	return count
}

func responding(e trace.Exchange) (from, to linger.Opt[linger.Instant]) { return e.FirstByte, e.Done }
func asked(e trace.Exchange) (from, to linger.Opt[linger.Instant])      { return e.Sent, e.Done }

// number writes the number of each exchange into its waiting, where there is
// room that no other number is next to. Of pipelined requests, which wait one
// upon another, as many are numbered as find room.
func number(cells []rune, exchanges []trace.Exchange, column func(linger.Instant) int) {
	taken := func(i int) bool { return i >= 0 && i < len(cells) && '0' <= cells[i] && cells[i] <= '9' }
	for _, e := range exchanges {
		sent, ok := e.Sent.Get()
		first, ok2 := e.FirstByte.Get()
		if !ok || !ok2 {
			continue
		}
		text := []rune(strconv.Itoa(e.ID + 1))
		for i := column(sent); i+len(text)-1 <= column(first); i++ {
			free := cells[i : i+len(text)]
			if !slices.ContainsFunc(free, func(r rune) bool { return r != waiting }) && !taken(i-1) && !taken(i+len(text)) {
				copy(free, text)
				break
			}
		}
	}
}

// axis returns the labels and the ticks of a time axis from 0 to end: as many
// steps of 1, 2 or 5 as leave each label room.
func axis(end linger.Instant, n int) (labels, ticks string) {
	step := time.Duration(1)
	for i := 0; end/linger.Instant(step) > linger.Instant(n/10); i++ {
		step = []time.Duration{1, 2, 5}[(i+1)%3] * time.Duration(math.Pow10((i+1)/3))
	}
	line := slices.Repeat([]rune("─"), n)
	text := slices.Repeat([]rune{' '}, n)
	for at := linger.Instant(0); at <= end; at = at.Add(step) {
		i := int(float64(at) / float64(end) * float64(n))
		label := []rune(finding.Instant(at))
		if at == 0 {
			label = []rune("0")
		}
		if i >= n {
			break
		}
		line[i] = '┬'
		if i+len(label) <= n {
			copy(text[i:], label)
		}
	}
	return string(text), string(line)
}

// exchanges lists what was fetched, in the order in which it was wanted.
func (o Options) exchanges(b *bufio.Writer, t *trace.Trace, most int) {
	list := trial.Exchanges("", t, most)
	if failed := failures(trial.ByWish(t)[len(list.Rows):]); list.More != "" {
		list.More += " (--wide)"
		if failed > 0 {
			list.More += fmt.Sprintf(", %d of them failed", failed)
		}
	}
	if most > 0 {
		o.Table(b, list)
		o.Write(b, "blocked: queue and handshake; wait: until the first byte; recv: until the last", "", "", terminal.Faint)
	} else {
		o.Write(b, linger.Plural(len(t.Exchanges), "request")+": --wide lists them", "", "", terminal.Faint)
	}
	for _, e := range trial.ByWish(t)[:len(list.Rows)] {
		if e.Failed != "" {
			o.Write(b, fmt.Sprintf("request %d failed: %s", e.ID+1, e.Failed), "  ! ", "    ", terminal.Plain)
		}
	}
}

// failures counts the requests that failed.
func failures(list []trace.Exchange) (n int) {
	for _, e := range list {
		if e.Failed != "" {
			n++
		}
	}
	return n
}

// Ledger writes what a command did with its connections, as the link saw it.
// The requests on each, where they could be read, are keyed by the client's
// IP:port; nil where nobody read them. Relays are what carried them on, if any did.
func Ledger(w io.Writer, l trace.Ledger, requests map[string]int, relays []trial.Relayed, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		o.Write(b, trial.LedgerTitle(l), "", "", terminal.Bold)
		if said := trial.Reused(l, requests); said != "" {
			o.Write(b, said, "", "", terminal.Plain)
		}
		for _, r := range relays {
			o.Write(b, r.Line(), "", "", terminal.Plain)
		}
		if l.Overflow > 0 {
			fmt.Fprintf(b, "%s more did not fit into the ledger.\n", linger.Plural(l.Overflow, "connection"))
		}
		most := 14 // on a screen, below the command's own output
		if o.IsWide() {
			most = len(l.Connections)
		}
		if flows := trial.FlowsOf(l); len(flows) > 0 {
			b.WriteString("\n")
			o.Table(b, trial.Flows(flows, requests, most).Without(1, table.Nothing))
		}
	})
}

// Reuse writes how a client fared that asked again after pauses: a line a pause.
func Reuse(w io.Writer, f trial.Reuses, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		o.Write(b, fmt.Sprintf("%s requested twice over %s, with a pause between; a connection for each pause", f.URL, f.Strategy), "", "", terminal.Bold)
		o.Write(b, trial.ReuseVerdict(f.Rows), "", "", terminal.Plain)
		b.WriteString("\n")
		o.Table(b, trial.Pauses(f))
		for _, r := range f.Rows {
			if r.Reason != "" && (r.Outcome == facts.Lost || r.Outcome == facts.Unasked || r.Outcome == facts.Unsent || r.Outcome == facts.LetGo) {
				o.Write(b, trial.Pause(r.Wait)+": "+r.Reason, "- ", "  ", terminal.Plain)
			}
		}
	})
}
