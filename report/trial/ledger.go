package trial

import (
	"fmt"
	"slices"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/finding"
	"linger/report/table"
	"linger/stats"
	"linger/trace"
)

// FlowsOf are the connections and flows of a ledger, in the order in which they began.
func FlowsOf(l trace.Ledger) []trace.Flows {
	flows := slices.Clone(l.Connections)
	slices.SortStableFunc(flows, func(a, b trace.Flows) int { return a.First.Compare(b.First) })
	return slices.DeleteFunc(flows, func(f trace.Flows) bool {
		return f.Protocol != linger.TransportTCP && f.Protocol != linger.TransportUDP
	})
}

// LedgerTitle sums up what crossed the link.
func LedgerTitle(l trace.Ledger) string {
	flows, all := FlowsOf(l), facts.TrafficOf(l)
	if len(flows) == 0 {
		return "No connection crossed the link."
	}
	others := ""
	if all.Datagrams > 0 {
		others = ", " + linger.Plural(all.Datagrams, "UDP flow")
	}
	title := fmt.Sprintf("%s opened, %s%s; %s up and %s down, %s",
		linger.Plural(all.Connections, "connection"), linger.Plural(all.Handshakes, "handshake"), others,
		linger.Plural(int(all.Packets.Up), "packet"), finding.Count(all.Packets.Down), finding.Bytes(all.WireBytes.Sum()))
	if slices.ContainsFunc(flows, func(f trace.Flows) bool { return f.Protocol == linger.TransportTCP }) {
		title += "; " + finding.Count(all.Retransmitted.Sum()) + " retransmitted"
	}
	if to := servers(flows); len(to) == 1 {
		title += "; all to " + to[0]
	}
	return title + "."
}

// Reused says how many of the requests went over a connection that had carried one before;
// nothing where they were not read on every connection.
func Reused(l trace.Ledger, requests map[string]int) string {
	all, again := 0, 0
	flows := FlowsOf(l)
	shared := onPort(flows)
	for _, f := range flows {
		n, ok := requests[f.Client]
		switch {
		case ok:
		case f.Protocol == linger.TransportUDP && !f.IsQUIC():
			continue // no connection
		default:
			return ""
		}
		if of := shared[f.Client]; of > 0 {
			// All connections of a port are counted together, each of which has carried one first.
			all, again = all+n, again+max(0, n-of)
			shared[f.Client] = 0
		}
	}
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %s over a reused connection.", linger.Plural(all, "request"), finding.Share(float64(again)/float64(all)))
}

// onPort is how many connections had the address and port of each client: a port is taken
// again once TIME_WAIT is over, or not on its side.
func onPort(flows []trace.Flows) map[string]int {
	out := map[string]int{}
	for _, f := range flows {
		out[f.Client]++
	}
	return out
}

// server names the far end of a connection.
func server(f trace.Flows) string {
	switch {
	case f.Protocol == linger.TransportTCP:
		return f.Server
	case f.IsQUIC():
		return "quic " + f.Server
	}
	return string(f.Protocol) + " " + f.Server
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
func ending(f trace.Flows) table.Cell {
	switch {
	case f.Protocol == linger.TransportTCP && f.Up.SYN > 0 && f.Down.SYN == 0 && f.Down.RST > 0:
		return table.Word("refused")
	case f.Protocol == linger.TransportTCP && f.Up.SYN > 0 && f.Down.SYN == 0, f.Protocol == linger.TransportUDP && f.Down.Packets == 0:
		return table.Word("no answer")
	case f.ClosedBy == trace.Nobody:
		return table.Unknown()
	case f.Up.RST+f.Down.RST > 0:
		return table.Word(string(f.ClosedBy) + " RST")
	}
	return table.Word(string(f.ClosedBy))
}

// Flows lists the connections, the first so many. Who is asked has a column where
// there are several.
func Flows(flows []trace.Flows, requests map[string]int, most int) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "#"}, {Head: "to", Align: table.Left, Short: 16}, {Head: "opened at, ms"}, {Head: "lasted ms"}, {Head: "requests"},
		{Head: "packets up/down", Spare: 2}, {Head: "kB up/down", Spare: 1}, {Head: "retrans", Spare: 3},
		{Head: "closed by", Align: table.Left},
	}}
	shared := onPort(flows)
	for i, f := range flows[:min(len(flows), most)] {
		asked := table.Unknown()
		if n, ok := requests[f.Client]; ok && shared[f.Client] == 1 {
			asked = table.Int(n)
		}
		again := table.Unknown() // UDP has no sequence numbers, and QUIC encrypts its own
		if f.Protocol == linger.TransportTCP {
			again = table.Int(int(f.Up.Retransmitted + f.Down.Retransmitted))
		}
		t.Add(table.Int(i+1), table.Word(server(f)), tenths(f.First.Sub(flows[0].First)), tenths(f.Last.Sub(f.First)), asked,
			table.Word(fmt.Sprintf("%d/%d", f.Up.Packets, f.Down.Packets)), table.Word(finding.KB(float64(f.Up.Bytes()))+"/"+finding.KB(float64(f.Down.Bytes()))),
			again, ending(f))
	}
	if rest := len(flows) - len(t.Rows); rest > 0 {
		t.More = "… and " + linger.Plural(rest, "connection") + " more (--wide)"
	}
	if len(servers(flows)) == 1 {
		return t.Only(0, 2, 3, 4, 5, 6, 7, 8) // the title has said it
	}
	return t
}

func tenths(d time.Duration) table.Cell { return table.Number(d.Seconds()*1000, finding.Tenth) }

// A Relayed is what a relay of the lab has carried on to one server outside.
type Relayed struct {
	At     string `json:"at"`     // HOST:PORT, as the client finds it
	Server string `json:"server"` // HOST:PORT, as it was named
	// Address is the server's, IP:port; empty where it took no connection.
	Address     string `json:"address,omitempty"`
	Connections int    `json:"connections"` // that it took
	Failed      int    `json:"failed"`      // that it did not
	Reason      string `json:"reason,omitempty"`
	// ConnectMS are the times that it took to open them, from the relay.
	ConnectMS linger.Opt[Spread] `json:"connect_ms,omitzero"`
	// Datagrams is how many addresses of the client sent datagrams of UDP.
	Datagrams int `json:"datagram_clients,omitempty"`
}

// SpreadOf is the spread of some times, in ms; it is not known of none.
func SpreadOf(times []time.Duration) (out linger.Opt[Spread]) {
	var took []float64
	for _, d := range times {
		took = append(took, float64(d)/float64(time.Millisecond))
	}
	if median, ok := stats.New(took...).Median(); ok {
		out = linger.Known(Spread{Median: median, Low: slices.Min(took), High: slices.Max(took)})
	}
	return out
}

// A Spread is the middle of a sample, and its ends.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// Line says what was carried on, and what that adds to the path.
func (r Relayed) Line() string {
	if r.Connections+r.Failed+r.Datagrams == 0 {
		return fmt.Sprintf("Relay to %s: nothing was sent to it.", r.Server)
	}
	out := fmt.Sprintf("Relay to %s: %s", r.Server, linger.Plural(r.Connections, "connection"))
	if r.Datagrams > 0 {
		out += fmt.Sprintf(", %s of UDP", linger.Plural(r.Datagrams, "flow"))
	}
	if t, ok := r.ConnectMS.Get(); ok {
		out += fmt.Sprintf("; it adds %s to a round trip (TCP connect", finding.Waited(t.Median))
		if r.Connections > 1 {
			out += fmt.Sprintf(", median; %s to %s", finding.Waited(t.Low), finding.Waited(t.High))
		}
		out += ")"
	}
	if r.Failed > 0 {
		out += fmt.Sprintf("; %s failed and reset to the client: %s", linger.Plural(r.Failed, "connection"), r.Reason)
	}
	return out + "."
}
