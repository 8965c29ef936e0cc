package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/trace"
)

// Ledger writes what a command did with its connections, as the link saw it.
// The requests on each, where they could be read, are keyed by the client's
// IP:port; nil where nobody read them.
func Ledger(w io.Writer, l trace.Ledger, requests map[string]int, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		flows := slices.Clone(l.Connections)
		slices.SortStableFunc(flows, func(a, b trace.Flows) int { return a.First.Compare(b.First) })
		flows = slices.DeleteFunc(flows, func(f trace.Flows) bool { return f.Protocol != "tcp" && f.Protocol != "udp" })
		all := compare.Sum(l)
		others := ""
		if all.Datagrams > 0 {
			others = ", " + linger.Plural(all.Datagrams, "UDP flow")
		}
		head := fmt.Sprintf("%s opened, %s%s; %s up and %s down, %s",
			linger.Plural(all.Connections, "connection"), linger.Plural(all.Handshakes, "handshake"), others,
			linger.Plural(int(all.Packets.Up), "packet"), finding.Count(all.Packets.Down), finding.Bytes(all.WireBytes.Sum()))
		if slices.ContainsFunc(flows, func(f trace.Flows) bool { return f.Protocol == "tcp" }) {
			head += "; " + finding.Count(all.Retransmitted.Sum()) + " sent again"
		}
		switch to := servers(flows); {
		case len(flows) == 0:
			head = "No connection crossed the link"
		case len(to) == 1:
			head += "; all to " + to[0]
		}
		for _, line := range wrap(head+".", o.width(), "", "") {
			b.WriteString(o.paint(line, bold) + "\n")
		}
		if l.Overflow > 0 {
			b.WriteString(fmt.Sprintf("%s more did not fit into the ledger.\n", linger.Plural(l.Overflow, "connection")))
		}
		if len(flows) > 0 {
			b.WriteString("\n")
			o.flows(b, flows, requests)
		}
	})
}

// server names the far end of a connection.
func server(f trace.Flows) string {
	switch {
	case f.Protocol == "tcp":
		return f.Server
	case f.IsQUIC():
		return "quic " + f.Server
	}
	return f.Protocol + " " + f.Server
}

// servers lists the far ends, each once.
func servers(flows []trace.Flows) []string {
	var out []string
	for _, f := range flows {
		out = append(out, server(f))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ending says who ended a connection, or why there was nothing to end.
func ending(f trace.Flows) string {
	switch {
	case f.Protocol == "tcp" && f.Up.SYN > 0 && f.Down.SYN == 0 && f.Down.RST > 0:
		return "refused"
	case f.Protocol == "tcp" && f.Up.SYN > 0 && f.Down.SYN == 0, f.Protocol == "udp" && f.Down.Packets == 0:
		return "no answer"
	case f.ClosedBy == trace.Nobody:
		return unknown
	case f.Up.RST+f.Down.RST > 0:
		return string(f.ClosedBy) + " RST"
	}
	return string(f.ClosedBy)
}

// flows is the table of connections.
func (o Options) flows(b *bufio.Writer, flows []trace.Flows, requests map[string]int) {
	shown := flows[:min(len(flows), o.rows())]
	cols := make([]column, 9)
	for i, h := range [][2]string{{"", "#"}, {"", "to"}, {"opened", "at, ms"}, {"lasted", "ms"}, {"re-", "quests"}, {"packets", "up/down"}, {"kB", "up/down"}, {"sent", "again"}, {"closed", "by"}} {
		cols[i].head = h
	}
	cols[1].left, cols[8].left = true, true
	for i, f := range shown {
		asked := unknown
		if n, ok := requests[f.Client]; ok {
			asked = strconv.Itoa(n)
		}
		again := unknown // UDP has no sequence numbers, and QUIC encrypts its own
		if f.Protocol == "tcp" {
			again = strconv.FormatInt(f.Up.Retransmitted+f.Down.Retransmitted, 10)
		}
		for j, s := range []string{
			strconv.Itoa(i + 1), clean(server(f)), tenths(f.First.Sub(flows[0].First)), tenths(f.Last.Sub(f.First)), asked,
			fmt.Sprintf("%d/%d", f.Up.Packets, f.Down.Packets), tiny(f.Up.Bytes()) + "/" + tiny(f.Down.Bytes()),
			again, ending(f),
		} {
			cols[j].cells = append(cols[j].cells, s)
		}
	}
	if len(servers(flows)) == 1 {
		cols = slices.Delete(cols, 1, 2) // the line above has said it
	} else if over := total(cols) - o.width(); over > 0 {
		const least = 8
		room := max(least, cols[1].fit()-over)
		for i, s := range cols[1].cells {
			cols[1].cells[i] = short(s, room)
		}
	}
	o.table(b, filled(cols), upTo(len(shown)), nil)
	if rest := len(flows) - len(shown); rest > 0 {
		b.WriteString(o.paint("… and "+linger.Plural(rest, "connection")+" more", faint) + "\n")
	}
}

func tenths(d time.Duration) string { return finding.Fixed(d.Seconds()*1000, 1) }

// tiny writes bytes in kB, with a decimal where there are few.
func tiny(n int64) string {
	if n < 10_000 {
		return finding.Fixed(float64(n)/1000, 1)
	}
	return kilo(float64(n))
}
