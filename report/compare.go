package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/trace"
)

// Compare writes the findings for a person: what each strategy takes, what it
// holds, the verdict, the doubts, and where it all comes from.
func Compare(w io.Writer, f compare.Findings, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		for _, line := range wrap(title(f), o.width(), "", "") {
			b.WriteString(o.paint(line, bold) + "\n")
		}
		if len(f.Rows) > 0 {
			o.costs(b, f)
			if isDNS(f) {
				o.queries(b, f)
			}
			o.holds(b, f)
			if hasSetUp(f) {
				o.setUp(b, f)
			}
			for _, line := range wrap(legend(f), o.width(), "", "") {
				b.WriteString(o.paint(line, faint) + "\n")
			}
		}
		b.WriteString("\n")
		for text := range strings.SplitSeq(f.Verdict.Text, "\n") {
			first, indent := "", ""
			if fact, ok := strings.CutPrefix(text, "- "); ok {
				text, first, indent = fact, "- ", "  "
			}
			b.WriteString(strings.Join(wrap(text, o.width(), first, indent), "\n") + "\n")
		}
		o.asserted(b, f.Asserted)
		if len(f.Doubts) > 0 {
			b.WriteString("\nDoubts\n")
		}
		for _, d := range f.Doubts {
			b.WriteString(strings.Join(wrap(d.Text, o.width(), "  ! ", "    "), "\n") + "\n")
		}
		b.WriteString("\n")
		for _, line := range wrap(origin(f, o), o.width(), "", "") {
			b.WriteString(o.paint(line, faint) + "\n")
		}
		if o.Command != "" {
			// Not wrapped, so that it can be copied in one piece.
			b.WriteString(o.paint("Again: "+clean(o.Command), faint) + "\n")
		}
	})
}

// title says what was fetched over what.
func title(f compare.Findings) string {
	s := fmt.Sprintf("%s: %s, %s", f.Workload.Name, linger.Plural(f.Workload.Exchanges, "exchange"), finding.Bytes(float64(f.Workload.Bytes)))
	if isDNS(f) {
		s = f.Workload.Name + ": " + linger.Plural(f.Workload.Exchanges, "query")
	}
	if t := security(f); t != "" {
		s += ", " + t
	}
	n := f.Network
	var parts []string
	if v, ok := n.RTT.Get(); ok {
		rate := func(o linger.Opt[float64]) linger.Rate { return linger.Rate(o.Or(0) * float64(linger.Kbps)) }
		parts = append(parts, finding.Trimmed(v, 2)+" ms")
		if n.Down == n.Up {
			parts = append(parts, rate(n.Down).String()+" each way")
		} else {
			parts = append(parts, rate(n.Down).String()+" down", rate(n.Up).String()+" up")
		}
		if loss := n.Loss.Or(0); loss > 0 {
			parts = append(parts, finding.Trimmed(100*loss, 2)+" % lost")
		}
		if q := queue(n.Queue); q != "" {
			parts = append(parts, q)
		}
	}
	if n.Name != "" {
		s += ", over " + n.Name
	}
	if len(parts) > 0 {
		s += " (" + strings.Join(parts, ", ") + ")"
	}
	return s
}

// queue tells how much waiting the path has room for, where that is not as usual.
func queue(r compare.Room) string {
	usual := linger.DefaultQueue.Seconds() * 1000
	down, up := r.Down.Or(usual), r.Up.Or(usual)
	switch {
	case whole(down) == whole(usual) && whole(up) == whole(usual):
		return ""
	case whole(down) == whole(up):
		return "queues of " + emptying(down)
	}
	return "queues of " + emptying(down) + " down, " + emptying(up) + " up"
}

// emptying writes how long a full queue takes to empty, in ms, to the hundredth of
// its unit: it follows from a size in bytes.
func emptying(ms float64) string {
	unit := 0.01
	if ms >= 1000 {
		unit = 10
	}
	return finding.Lasting(math.Round(ms/unit) * unit)
}

// origin says how the figures came about.
func origin(f compare.Findings, o Options) string {
	how := "Nothing measured"
	if p := string(f.Provenance); p != "" {
		how = strings.ToUpper(p[:1]) + p[1:]
	}
	if f.Engine != "" {
		how += " (engine: " + f.Engine + ")"
	}
	s := fmt.Sprintf("%s, %s of each strategy, ", how, ran(f))
	if f.Provenance == trace.Measured && f.Trials > 1 {
		s += "interleaved, "
	}
	s += fmt.Sprintf("seed %d", f.Seed)
	if o.Version != "" {
		s += ", linger " + o.Version
	}
	var agents []string
	for _, r := range f.Rows {
		if a := clean(r.Agent); a != "" && !slices.Contains(agents, a) {
			agents = append(agents, a)
		}
	}
	if len(agents) > 0 {
		s += ", " + strings.Join(agents, ", ")
	}
	return s + "."
}

// ran is how many trials of each strategy there were: "5 trials", "0 to 2 of 5 trials".
func ran(f compare.Findings) string {
	planned := linger.Plural(f.Trials, "trial")
	if len(f.Rows) == 0 {
		return planned
	}
	least, most := f.Rows[0].Trials, 0
	for _, r := range f.Rows {
		least, most = min(least, r.Trials), max(most, r.Trials)
	}
	switch {
	case least == f.Trials && most == f.Trials:
		return planned
	case least == most:
		return fmt.Sprintf("%d of %s", most, planned)
	}
	return fmt.Sprintf("%d to %d of %s", least, most, planned)
}

// order lists the rows, the non-persistent first.
func order(rows []compare.Row) []int {
	var kept, closed []int
	for i, r := range rows {
		if r.Persistent {
			kept = append(kept, i)
		} else {
			closed = append(closed, i)
		}
	}
	return append(closed, kept...)
}

// longest is how wide the name of a strategy may be.
const longest = 20

// names is the column of strategies, the best one marked.
func (o Options) names(f compare.Findings) column {
	c := column{head: [2]string{"", "  strategy"}, left: true}
	for _, r := range f.Rows {
		mark := "  "
		if r.NotHonoured {
			mark = "! "
		}
		if r.Strategy == f.Verdict.Best && f.Verdict.Best != "" {
			mark = "*" + mark[:1]
		}
		c.cells = append(c.cells, mark+short(r.Strategy, longest))
	}
	c.style = func(row int) style {
		if f.Rows[row].Strategy == f.Verdict.Best {
			return green
		}
		return plain
	}
	return c
}

// kinds returns the function that writes a heading before each kind of row.
func (o Options) kinds(b *bufio.Writer, f compare.Findings, rows []int) func(i, row int) {
	return func(i, row int) {
		if i > 0 && f.Rows[rows[i-1]].Persistent == f.Rows[row].Persistent {
			return
		}
		kind := "non-persistent"
		if f.Rows[row].Persistent {
			kind = "persistent"
		}
		b.WriteString(o.paint(kind, faint) + "\n")
	}
}

// each makes a column of one figure of every row.
func each(f compare.Findings, spare int, above, below string, cell func(compare.Row) string) column {
	c := column{head: [2]string{above, below}, spare: spare}
	for _, r := range f.Rows {
		c.cells = append(c.cells, cell(r))
	}
	return c
}

// costs is the table of what the load takes.
func (o Options) costs(b *bufio.Writer, f compare.Findings) {
	b.WriteString("\n")
	name, clock := o.names(f), times(f)
	failed := 0
	for _, r := range f.Rows {
		failed += r.Failed
	}
	tail := []column{
		each(f, 0, "connec-", "tions", func(r compare.Row) string { return known(r.Connections, finding.Count) }),
		each(f, 3, "hand-", "shakes", func(r compare.Row) string { return known(r.Handshakes, finding.Count) }),
		each(f, 0, "round", "trips", func(r compare.Row) string { return known(r.RoundTrips, trips) }),
		each(f, 1, "", "packets", func(r compare.Row) string { return known(sum(r.Packets), finding.Count) }),
		each(f, 2, "wire,", "kB", func(r compare.Row) string { return known(sum(r.WireBytes), kilo) }),
	}
	if failed > 0 {
		tail = append(tail, each(f, 0, "", "failed", func(r compare.Row) string { return fmt.Sprintf("%d/%d", r.Failed, r.Trials) }))
	}
	cols := squeeze(append([]column{name, clock}, filled(tail)...), o.width())
	const narrowest, widest = 4, 24
	if room := min(o.width()-total(cols)-gap, widest); room >= narrowest && !clock.empty() {
		cols = append(cols[:2:2], append([]column{bars(f, room)}, cols[2:]...)...)
	}
	rows := order(f.Rows)
	o.table(b, cols, rows, o.kinds(b, f, rows))
}

// some empties a column in which there is nothing but 0.
func some(c column) column {
	if !slices.ContainsFunc(c.cells, func(s string) bool { return s != "0" && s != unknown }) {
		c.cells = nil
	}
	return c
}

// holds is the table of what the load keeps busy, and wastes.
func (o Options) holds(b *bufio.Writer, f compare.Findings) {
	cols := filled([]column{
		each(f, 1, "requests/", "connection", func(r compare.Row) string { return known(r.RequestsPerConnection, finding.Count) }),
		each(f, 2, "over-", "head", func(r compare.Row) string { return known(r.Overhead, finding.Share) }),
		some(each(f, 2, "requests", "in vain", func(r compare.Row) string { return known(r.RequestsInVain, finding.Count) })),
		each(f, 3, "sent", "again", func(r compare.Row) string { return known(r.Retransmitted, finding.Count) }),
		each(f, 4, "peak", "sockets", func(r compare.Row) string {
			return pair(r.Sockets.ClientPeak, r.Sockets.ServerPeak, finding.Count)
		}),
		each(f, 5, "TIME_", "WAIT", func(r compare.Row) string { return known(r.Sockets.TimeWait, finding.Count) }),
		each(f, 6, "peak", "socket kB", func(r compare.Row) string {
			return pair(r.SocketMemory.ClientPeak, r.SocketMemory.ServerPeak, kilo)
		}),
	})
	if !hasSetUp(f) { // else it stands beside what it is spent on
		cols = filled(append(cols, cpu(f, 7)))
	}
	if len(cols) == 0 {
		return
	}
	b.WriteString("\n")
	cols = squeeze(append([]column{o.names(f)}, cols...), o.width())
	rows := order(f.Rows)
	o.table(b, cols, rows, o.kinds(b, f, rows))
}

// legend says what the marks and columns of both tables mean.
func legend(f compare.Findings) string {
	var parts []string
	if f.Verdict.Best != "" && len(f.Rows) > 1 {
		parts = append(parts, "* takes least")
	}
	if slices.ContainsFunc(f.Rows, func(r compare.Row) bool { return r.NotHonoured }) {
		parts = append(parts, "! was not honoured, see the doubts")
	}
	parts = append(parts, "medians")
	for _, r := range f.Rows {
		if t, ok := r.Time.Get(); ok && !t.Confidence.IsZero() {
			parts = append(parts, "± reaches the interval's far end")
			break
		}
	}
	for _, r := range f.Rows {
		if !r.Sockets.ClientPeak.IsZero() || !r.CPU.Client.IsZero() {
			parts = append(parts, "a/b is client/server")
			break
		}
	}
	if isDNS(f) {
		parts = append(parts, "a query's time is from wanting to having its answer", "a further one is on a kept connection")
	}
	for _, r := range f.Rows {
		if hasSetUp(f) && !r.SetupRoundTrips.IsZero() {
			parts = append(parts, "set-up is until a request may be sent")
			break
		}
	}
	return strings.Join(parts, "; ") + "."
}

// times is the column of times, in one unit, the points one below the other.
func times(f compare.Findings) column {
	unit, scale := "ms", 1.0
	sure := linger.Opt[float64]{}
	for _, r := range f.Rows {
		t, ok := r.Time.Get()
		if !ok {
			continue
		}
		if t.Median >= 1000 {
			unit, scale = "s", 1000
		}
		if c, ok := t.Confidence.Get(); ok {
			sure = linger.Known(min(c, sure.Or(c)))
		}
	}
	type figure struct {
		value, doubt string
		decimals     int
	}
	figures := make([]figure, len(f.Rows))
	most, wide := 0, 0
	for i, r := range f.Rows {
		t, ok := r.Time.Get()
		if !ok {
			continue
		}
		d, has := t.Doubt().Get()
		n := finding.Decimals(t.Median/scale, t.Blur(f.Provenance)/scale)
		g := figure{value: finding.Fixed(t.Median/scale, n), decimals: max(0, n)}
		if has {
			// The doubt is rounded up: what is shown is never surer than what was found.
			step := math.Pow10(-n)
			g.doubt = finding.Fixed(math.Ceil(d/scale/step-1e-9)*step, n)
		}
		figures[i] = g
		most, wide = max(most, g.decimals), max(wide, width(g.doubt))
	}
	pad := func(n int) string {
		if n == 0 && most > 0 {
			return strings.Repeat(" ", most+1)
		}
		return strings.Repeat(" ", most-n)
	}
	none := "" // the room of a doubt, where others have one
	if wide > 0 {
		none = strings.Repeat(" ", width(" ± ")+wide)
	}
	c := column{head: [2]string{"time, " + unit, ""}}
	if v, ok := sure.Get(); ok {
		c.head[1] = fmt.Sprintf("± at %s %%", finding.Trimmed(math.Floor(1e4*v)/100, 2))
	}
	for _, g := range figures {
		switch {
		case g.value == "":
			c.cells = append(c.cells, unknown)
		case g.doubt == "":
			c.cells = append(c.cells, g.value+pad(g.decimals)+none)
		default:
			c.cells = append(c.cells, g.value+pad(g.decimals)+" ± "+right(g.doubt+pad(g.decimals), wide))
		}
	}
	return c
}

// bars draws the times, the longest over the whole column.
func bars(f compare.Findings, n int) column {
	most := 0.0
	for _, r := range f.Rows {
		t, _ := r.Time.Get()
		most = max(most, t.Median)
	}
	c := column{left: true, least: n}
	for _, r := range f.Rows {
		t, ok := r.Time.Get()
		s := ""
		if ok && most > 0 {
			s = bar(t.Median/most, n)
		}
		c.cells = append(c.cells, s)
	}
	return c
}

// filled leaves out the columns of which nothing is known.
func filled(cols []column) []column {
	var out []column
	for _, c := range cols {
		if !c.empty() {
			out = append(out, c)
		}
	}
	return out
}

func sum(o linger.Opt[compare.Ways]) (out linger.Opt[float64]) {
	if v, ok := o.Get(); ok {
		out = linger.Known(v.Sum())
	}
	return out
}

func whole(v float64) string { return finding.Fixed(v, 0) }
func kilo(v float64) string  { return finding.Fixed(v/1000, 0) }

// trips shows halves of a round trip only where there are few.
func trips(v float64) string {
	if math.Abs(v) < 10 {
		return finding.Fixed(v, 1)
	}
	return whole(v)
}
