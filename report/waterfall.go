package report

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
	"linger/compare"
	"linger/trace"
)

// The phases of a connection, each with a letter of its own. Where two fall into
// one column, the later of this list is drawn.
const (
	nothing   = ' '
	idle      = '·'
	waiting   = '─'
	handshake = '▒'
	receiving = '█'
	further   = '▓' // receiving too: every other response, to tell it from its neighbours
)

var rank = map[rune]int{nothing: 0, idle: 1, waiting: 2, handshake: 3, receiving: 4, further: 4}

// Waterfall writes one trace: a line a connection along the time axis, with the
// handshake, the waiting and the receiving, and the exchanges as a list.
func Waterfall(w io.Writer, t *trace.Trace, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		head := fmt.Sprintf("%s: %s over %s in %s", cmp.Or(t.Workload, "workload"), plural(len(t.Exchanges), "exchange"),
			plural(len(t.Connections), "connection"), instant(t.Ended))
		for _, line := range wrap(head, o.width(), "", "") {
			b.WriteString(o.paint(line, bold) + "\n")
		}
		// In the order in which the client asked for them, which is not the order of
		// their numbers in every trace.
		conns := slices.SortedStableFunc(slices.Values(t.Connections), func(a, b trace.Connection) int { return cmp.Compare(a.Dialled, b.Dialled) })
		if len(conns) > 0 && t.Ended > 0 {
			b.WriteString("\n")
			o.lanes(b, t, conns)
		}
		if len(t.Exchanges) > 0 {
			b.WriteString("\n")
			o.exchanges(b, t, conns)
		}
	})
}

// lanes draws the connections.
func (o Options) lanes(b *bufio.Writer, t *trace.Trace, conns []trace.Connection) {
	shown := conns[:min(len(conns), o.rows())]
	label := max(len("conn"), len(strconv.Itoa(len(shown)))) + gap
	const tail = 14 // "  by the server"
	n := o.width() - label - tail
	of := map[int][]trace.Exchange{}
	for _, e := range t.Exchanges {
		of[e.Connection] = append(of[e.Connection], e)
	}
	top, ticks := axis(t.Ended, n)
	b.WriteString(o.paint(left("", label)+left(top, n)+"  closed by", faint) + "\n")
	b.WriteString(o.paint(left("conn", label)+ticks, faint) + "\n")
	for i, c := range shown {
		by := "open"
		switch {
		case c.Connected.IsZero():
			by = "unconnected"
		case c.ClosedBy != trace.Nobody:
			by = string(c.ClosedBy)
		}
		b.WriteString(right(strconv.Itoa(i+1), label-gap) + strings.Repeat(" ", gap) + left(lane(c, of[c.ID], t.Ended, n), n) + "  " + by + "\n")
	}
	if rest := len(conns) - len(shown); rest > 0 {
		b.WriteString(o.paint(strings.Repeat(" ", label)+"… and "+plural(rest, "connection")+" more", faint) + "\n")
	}
	legend := fmt.Sprintf("%c handshake, %c waiting, %c %c receiving, %c idle; numbers are exchanges", handshake, waiting, receiving, further, idle)
	for _, line := range wrap(legend, o.width(), "", "") {
		b.WriteString(o.paint(line, faint) + "\n")
	}
}

// lane draws one connection over n columns from 0 to end.
func lane(c trace.Connection, exchanges []trace.Exchange, end linger.Instant, n int) string {
	cells := slices.Repeat([]rune{nothing}, n)
	column := func(at linger.Instant) int {
		return min(n-1, max(0, int(float64(at)/float64(end)*float64(n))))
	}
	draw := func(from, to linger.Instant, phase rune) {
		// The column in which a phase ends belongs to what follows, so that a phase
		// is drawn as long as it lasted; one shorter than a column still has one.
		first := column(from)
		last := max(first, int(math.Ceil(float64(to)/float64(end)*float64(n)))-1)
		for i := first; i <= min(last, n-1); i++ {
			if rank[phase] > rank[cells[i]] {
				cells[i] = phase
			}
		}
	}
	closed := min(end, c.Closed.Or(end))
	if connected, ok := c.Connected.Get(); ok {
		draw(connected, closed, idle)
		draw(c.Dialled, connected, handshake)
	} else {
		draw(c.Dialled, closed, handshake)
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
	number(cells, exchanges, column)
	return strings.TrimRight(string(cells), " ")
}

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
		label := []rune(instant(at))
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
func (o Options) exchanges(b *bufio.Writer, t *trace.Trace, conns []trace.Connection) {
	numbers := map[int]int{}
	for i, c := range conns {
		numbers[c.ID] = i + 1
	}
	all := slices.SortedStableFunc(slices.Values(t.Exchanges), func(a, b trace.Exchange) int {
		return cmp.Or(cmp.Compare(a.Queued, b.Queued), cmp.Compare(a.ID, b.ID))
	})
	shown := all[:min(len(all), o.rows())]
	cols := make([]column, 8)
	for i, h := range [][2]string{{"ex-", "change"}, {"", "conn"}, {"wanted", "at, ms"}, {"queued", "ms"}, {"waiting", "ms"}, {"receiv-", "ing, ms"}, {"", "bytes"}, {"", "what"}} {
		cols[i].head = h
	}
	cols[7].left = true
	for _, e := range shown {
		on := unknown
		if n, ok := numbers[e.Connection]; ok {
			on = strconv.Itoa(n)
		}
		what := path(e.URL)
		if e.Method != "GET" {
			what = e.Method + " " + what
		}
		switch {
		case e.Failed != "":
			what = "FAILED " + what
		case e.Status != 0 && e.Status != 200:
			what = strconv.Itoa(e.Status) + " " + what
		}
		for i, s := range []string{
			strconv.Itoa(e.ID + 1), on, compare.Number(e.Queued.Milliseconds(), 1),
			between(linger.Known(e.Queued), e.Sent), between(e.Sent, e.FirstByte), between(e.FirstByte, e.Done),
			strconv.FormatInt(e.ResponseBody, 10), what,
		} {
			cols[i].cells = append(cols[i].cells, s)
		}
	}
	// What is fetched takes the room that is left; where that is too little, the
	// time in the queue goes, which the others imply.
	const least = 16
	room := o.width() - total(cols[:7]) - gap
	if room < least {
		cols = slices.Delete(cols, 3, 4)
		room = o.width() - total(cols[:6]) - gap
	}
	what := &cols[len(cols)-1]
	for i, s := range what.cells {
		what.cells[i] = short(s, max(least/2, room))
	}
	o.table(b, cols, upTo(len(shown)), nil)
	for _, e := range shown {
		if e.Failed != "" {
			b.WriteString(strings.Join(wrap(fmt.Sprintf("exchange %d failed: %s", e.ID+1, e.Failed), o.width(), "  ! ", "    "), "\n") + "\n")
		}
	}
	if rest := all[len(shown):]; len(rest) > 0 {
		failed := 0
		for _, e := range rest {
			if e.Failed != "" {
				failed++
			}
		}
		s := "… and " + plural(len(rest), "exchange") + " more"
		if failed > 0 {
			s += fmt.Sprintf(", %d of them failed", failed)
		}
		b.WriteString(o.paint(s, faint) + "\n")
	}
}

// between writes the time from one instant to another in ms.
func between(a, b linger.Opt[linger.Instant]) string {
	from, ok := a.Get()
	to, ok2 := b.Get()
	if !ok || !ok2 {
		return unknown
	}
	return compare.Number(to.Sub(from).Seconds()*1000, 1)
}

// instant writes a point in time with the unit that suits it.
func instant(t linger.Instant) string {
	switch ms := t.Milliseconds(); {
	case ms >= 1000:
		return trim(ms/1000) + " s"
	default:
		return trim(ms) + " ms"
	}
}

// path leaves out scheme and host of a URL, the same on every line.
func path(url string) string {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
	}
	return url
}
