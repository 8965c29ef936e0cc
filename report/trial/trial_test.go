package trial

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/report/table"
	"linger/trace"
)

func ms(v float64) linger.Instant                  { return linger.Instant(v * float64(time.Millisecond)) }
func at(v float64) linger.Opt[linger.Instant]      { return linger.Known(ms(v)) }
func conn(p linger.Protocol) trace.Connection      { return trace.Connection{Protocol: p} }
func fetch(conns ...trace.Connection) *trace.Trace { return &trace.Trace{Connections: conns} }
func secured(c trace.Connection) trace.Connection {
	c.TLS = linger.Known(trace.TLS{Version: "1.3"})
	return c
}
func resumed(c trace.Connection) trace.Connection {
	c.TLS = linger.Known(trace.TLS{Version: "1.3", Resumed: true})
	return c
}

// cells are those of a table, a line a row.
func cells(t table.Table) string {
	var out []string
	for _, r := range t.Rows {
		var row []string
		for _, c := range r.Cells {
			row = append(row, c.Text)
		}
		out = append(out, strings.Join(row, " | "))
	}
	return strings.Join(out, "\n")
}

// Sockets of UDP are no connections.
func TestCarriers(t *testing.T) {
	udp, h2 := conn(linger.DNSOverUDP), conn(linger.H2)
	for want, tr := range map[string]*trace.Trace{
		"0 connections": fetch(), "1 connection": fetch(h2), "2 sockets": fetch(udp, udp), "1 socket and 2 connections": fetch(h2, udp, h2),
	} {
		if got := Carriers(tr); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

// HTTP/1 in cleartext is what needs no word.
func TestSpoken(t *testing.T) {
	h1 := conn(linger.HTTP11)
	for want, tr := range map[string]*trace.Trace{
		"":                          fetch(h1, h1),
		" (http/1.1, TLS 1.3)":      fetch(secured(h1), secured(h1)),
		" (h2, http/1.1)":           fetch(h1, conn(linger.H2)),
		" (h2, TLS 1.3, 2 resumed)": fetch(secured(conn(linger.H2)), resumed(conn(linger.H2)), resumed(conn(linger.H2))),
		" (udp)":                    fetch(conn(linger.DNSOverUDP)),
	} {
		if got := Spoken(tr); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestOverQUIC(t *testing.T) {
	quic := conn("")
	quic.QUIC = linger.Known(trace.QUIC{})
	for _, c := range []trace.Connection{conn(linger.H3), conn(linger.DNSOverQUIC), conn(linger.DNSOverHTTP3), quic} {
		if !OverQUIC(c) {
			t.Errorf("%+v", c)
		}
	}
	for _, c := range []trace.Connection{conn(linger.H2), conn(linger.DNSOverUDP), conn("")} {
		if OverQUIC(c) {
			t.Errorf("%+v", c)
		}
	}
}

// One that was never connected after TCP's handshake had TLS before it, or waited for it.
func TestSecured(t *testing.T) {
	stuck, open := conn(linger.HTTP11), conn(linger.HTTP11)
	stuck.Established = at(70)
	open.Established, open.Connected = at(70), at(70)
	if !Secured(stuck) || Secured(open) || !Secured(secured(open)) {
		t.Error(Secured(stuck), Secured(open))
	}
}

// Requests stand in the order in which they were wanted, and what came of each, if it is not as
// usual.
func TestExchanges(t *testing.T) {
	get := func(id int, queued float64, url string) trace.Exchange {
		return trace.Exchange{ID: id, Method: "GET", URL: url, Connection: 3, Status: 200, Queued: ms(queued), Sent: at(queued + 1), FirstByte: at(queued + 71), Done: at(queued + 71.01), ResponseBody: 14}
	}
	late, failed, moved, posted, never, cut := get(0, 9, "http://o/late.jpg"), get(1, 0, "http://o/"), get(2, 2, "http://o/moved"), get(3, 3, "http://o/form"), get(4, 4, "dns:///none.example?type=A"), get(5, 5, "dns:///long.example?type=TXT")
	failed.Failed, failed.FirstByte, failed.Done, failed.Connection = "reset", linger.Opt[linger.Instant]{}, linger.Opt[linger.Instant]{}, -1
	moved.Status, moved.Done = 301, at(80)
	posted.Method = "POST"
	never.Rcode, never.Status, never.Method = "NXDOMAIN", 0, "A"
	cut.Truncated, cut.Status, cut.Method = true, 0, "TXT"
	tr := &trace.Trace{Connections: []trace.Connection{{ID: 5, Dialled: ms(7)}, {ID: 3}}, Exchanges: []trace.Exchange{late, failed, moved, posted, never, cut}}
	list := Exchanges("t", tr, 5)
	want := `
2 | - | 0.0 | 1.0 | - | - | 14 | FAILED /
3 | 1 | 2.0 | 1.0 | 70.0 | 7.0 | 14 | 301 /moved
4 | 1 | 3.0 | 1.0 | 70.0 | <0.1 | 14 | POST /form
5 | 1 | 4.0 | 1.0 | 70.0 | <0.1 | 14 | NXDOMAIN A none.example
6 | 1 | 5.0 | 1.0 | 70.0 | <0.1 | 14 | TRUNCATED TXT long.example`
	if got := cells(list); got != strings.TrimPrefix(want, "\n") {
		t.Errorf("the list is\n%s\nwant%s", got, want)
	}
	if list.More != "… and 1 request more" || list.Rows[0].ID != "t-e1" {
		t.Errorf("%q, %q", list.More, list.Rows[0].ID)
	}
}

func TestKnown(t *testing.T) {
	for want, tr := range map[string]*trace.Trace{
		"lab, lte":       {Engine: "lab", Provenance: trace.Measured, Network: linger.Network{Name: "lte"}},
		"observed (har)": {Engine: "har", Provenance: trace.Observed},
		"":               {},
	} {
		if got := Known(tr); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestPath(t *testing.T) {
	for url, want := range map[string]string{"http://o/a/b?c": "/a/b?c", "https://o": "https://o", "/x": "/x"} {
		if got := Path(url); got != want {
			t.Errorf("%q: %q; want %q", url, got, want)
		}
	}
}

// flow is one of the ledger, in the packets up and down.
func flow(protocol linger.Transport, client, server string, up, down int64) trace.Flows {
	f := trace.Flows{Protocol: protocol, Client: client, Server: server, First: time.Unix(10, 0), Last: time.Unix(11, 0)}
	f.Up.Packets, f.Down.Packets = up, down
	return f
}

// What ended a connection, or why nothing did.
func TestEndings(t *testing.T) {
	refused, silent, closed, reset := flow(linger.TransportTCP, "c:1", "s:80", 1, 1), flow(linger.TransportTCP, "c:2", "s:80", 3, 0), flow(linger.TransportTCP, "c:3", "s:80", 7, 9), flow(linger.TransportTCP, "c:4", "s:80", 7, 9)
	refused.Up.SYN, refused.Down.RST = 1, 1
	silent.Up.SYN = 1
	closed.Up.SYN, closed.Down.SYN, closed.ClosedBy = 1, 1, trace.AtServer
	reset.Up.SYN, reset.Down.SYN, reset.ClosedBy, reset.Up.RST = 1, 1, trace.AtClient, 1
	for want, f := range map[string]trace.Flows{
		"refused": refused, "no answer": silent, string(trace.AtServer): closed, string(trace.AtClient) + " RST": reset,
	} {
		if got := ending(f).Text; got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
	if got := ending(flow(linger.TransportUDP, "c:5", "s:53", 1, 0)).Text; got != "no answer" {
		t.Errorf("%q", got)
	}
	if got := ending(flow(linger.TransportUDP, "c:5", "s:53", 1, 1)); !got.IsUnknown() {
		t.Errorf("%+v", got)
	}
}

// Of several servers each connection says whose it is; of one the title does.
func TestFlows(t *testing.T) {
	one := []trace.Flows{flow(linger.TransportTCP, "c:1", "s:80", 7, 9), flow(linger.TransportTCP, "c:2", "s:80", 7, 9)}
	one[1].First = time.Unix(10, 5e6)
	if got, want := cells(Flows(one, map[string]int{"c:1": 3}, 5)), "1 | 0.0 | 1000.0 | 3 | 7/9 | 0.0/0.0 | 0 | -\n2 | 5.0 | 995.0 | - | 7/9 | 0.0/0.0 | 0 | -"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	two := append(one, flow(linger.TransportUDP, "c:3", "r:53", 1, 1))
	list := Flows(two, nil, 2)
	if list.Columns[1].Head != "to" || list.More != "… and 1 connection more (--wide)" {
		t.Errorf("%+v, %q", list.Columns, list.More)
	}
	if got := cells(Flows(two, nil, 3)); !strings.HasSuffix(got, "\n3 | udp r:53 | 0.0 | 1000.0 | - | 1/1 | 0.0/0.0 | - | -") {
		t.Errorf("%s", got)
	}
}

// Reuse is said only where the requests of every connection are known.
func TestReused(t *testing.T) {
	l := trace.Ledger{Connections: []trace.Flows{flow(linger.TransportTCP, "c:1", "s:80", 7, 9), flow(linger.TransportTCP, "c:2", "s:80", 7, 9), flow(linger.TransportUDP, "c:3", "s:53", 1, 1)}}
	for want, requests := range map[string]map[string]int{
		"": {"c:1": 3}, "5 requests, 60 % over a reused connection.": {"c:1": 4, "c:2": 1}, "1 request, 0 % over a reused connection.": {"c:1": 1, "c:2": 0},
	} {
		if got := Reused(l, requests); got != want {
			t.Errorf("%v: %q; want %q", requests, got, want)
		}
	}
	// A port that is taken again is counted once, and what each of its connections carried is not known.
	again := trace.Ledger{Connections: []trace.Flows{flow(linger.TransportTCP, "c:1", "s:80", 7, 9), flow(linger.TransportTCP, "c:1", "s:80", 7, 9)}}
	if got, want := Reused(again, map[string]int{"c:1": 2}), "2 requests, 0 % over a reused connection."; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	if got := cells(Flows(again.Connections, map[string]int{"c:1": 2}, 1)); got != "1 | 0.0 | 1000.0 | - | 7/9 | 0.0/0.0 | 0 | -" {
		t.Errorf("%s", got)
	}
	if got := LedgerTitle(trace.Ledger{}); got != "No connection crossed the link." {
		t.Errorf("%q", got)
	}
}

func TestRelayedSaysWhatItAdds(t *testing.T) {
	for want, r := range map[string]Relayed{
		"Relay to o:80: nothing was sent to it.":                                                                          {Server: "o:80"},
		"Relay to o:80: 1 connection; it adds 12.3 ms to a round trip (TCP connect).":                                     {Server: "o:80", Connections: 1, ConnectMS: linger.Known(Spread{Median: 12.34})},
		"Relay to o:80: 2 connections; it adds 12.3 ms to a round trip (TCP connect, median; 11.0 ms to 15.0 ms).":        {Server: "o:80", Connections: 2, ConnectMS: linger.Known(Spread{Median: 12.34, Low: 11, High: 15})},
		"Relay to o:80: 0 connections, 3 flows of UDP; 2 connections failed and reset to the client: connection refused.": {Server: "o:80", Datagrams: 3, Failed: 2, Reason: "connection refused"},
	} {
		if got := r.Line(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

// What the worst of the pauses comes to is what is said.
func TestReuseVerdict(t *testing.T) {
	rows := func(outcomes ...facts.Outcome) (list []facts.Reuse) {
		for _, o := range outcomes {
			list = append(list, facts.Reuse{Outcome: o})
		}
		return list
	}
	for want, list := range map[string][]facts.Reuse{
		"No request met a connection that was being closed.":                 rows(facts.Reused, facts.Noticed),
		"1 of 2 requests were not answered: the connection looked open":      rows(facts.Lost, facts.Repeated, facts.Unasked),
		"2 of 3 requests met a connection that was being closed; the client": rows(facts.Repeated, facts.Repeated, facts.Reused),
		"1 of 2 requests took a new connection":                              rows(facts.LetGo, facts.Reused),
		"1 of 2 requests could not be sent: there was no connection":         rows(facts.Unsent, facts.Reused),
		"Not every pause could be tried.":                                    rows(facts.Unasked, facts.Reused),
	} {
		if got := ReuseVerdict(list); !strings.HasPrefix(got, want) {
			t.Errorf("%q; want %q", got, want)
		}
	}
	found := Reuses{Rows: []facts.Reuse{{Wait: 1500 * time.Millisecond, Outcome: facts.Repeated, TookMS: linger.Known(140.5), Attempts: 2}}}
	if got, want := cells(Pauses(found)), "1.5 s | lost, retried | 140.5 ms | 2 | - | -"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}
