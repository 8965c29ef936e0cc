package trial

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/finding"
	"linger/ladder"
	"linger/report/table"
	"linger/trace"
)

// A Ladder is the messages of one trial, with what there is to say of them.
type Ladder struct {
	*ladder.Ladder
	Trace    *trace.Trace
	Strategy string
	// Trials is how many there were, of which this is the one nearest to the median.
	Trials int
	// Figure is how many round trips the table of costs has.
	Figure linger.Opt[float64]
}

// LadderOf tells a trial of a strategy; false where nothing was sent in it.
func LadderOf(strategy string, t *trace.Trace, trials int, figure linger.Opt[float64]) (Ladder, bool) {
	l, ok := ladder.Of(t)
	return Ladder{l, t, table.Clean(strategy), trials, figure}, ok
}

// RTT is the round-trip time: the network's, or where that is not known a Guess; 0 is none.
func (l Ladder) RTT() time.Duration {
	if d := l.Trace.Network.RTT; d > 0 {
		return d
	}
	d, _ := l.Guess()
	return d
}

// Guess is what stands for the round-trip time where the network's is not known, which is no
// less, and where it is from; nothing where there is no need, or no way.
func (l Ladder) Guess() (time.Duration, string) {
	t := l.Trace
	if t.Network.RTT > 0 {
		return 0, ""
	}
	least, from := time.Duration(0), ""
	shorter := func(d time.Duration, what string) {
		if d > 0 && (least == 0 || d < least) {
			least, from = d, what
		}
	}
	for _, k := range t.Connections {
		if at, ok := k.Established.Get(); ok {
			shorter(at.Sub(k.Dialled), ", what the shortest handshake of TCP took")
		} else if at, ok := k.Secured.Get(); ok && OverQUIC(k) {
			shorter(at.Sub(k.Dialled), ", what the shortest handshake of QUIC took")
		}
	}
	if least > 0 {
		return least, from
	}
	for _, e := range t.Exchanges {
		sent, ok := e.Sent.Get()
		if first, ok2 := e.FirstByte.Get(); ok && ok2 && first > sent {
			return first.Sub(sent), ", what the first answer took"
		}
	}
	return 0, ""
}

// longestName bounds what a message says of a path.
const longestName = 40

// Text says what a message is: "GET /, 88 B", "200, 14 kB in 10 packets, FIN".
func (l Ladder) Text(m *ladder.Message) string {
	c, t := &l.Connections[m.Connection], l.Trace
	var said []string
	switch {
	case m.SYN > 0 && m.By == trace.AtClient:
		said = append(said, "SYN")
	case m.SYN > 0:
		said = append(said, "SYN-ACK")
	}
	said = append(said, partsText(t, c, m.Parts)...)
	if m.Bytes > 0 {
		if len(said) == 0 {
			said = append(said, "data")
		}
		size := finding.Bytes(float64(m.Bytes))
		if m.Packets > 1 {
			size += " in " + finding.Plural(float64(m.Packets), "packet")
		}
		said = append(said, size)
	}
	if m.FIN > 0 {
		fin := "FIN"
		if c.First == m.By || c.Both {
			fin += " (then TIME_WAIT)"
		}
		said = append(said, fin)
	}
	if m.RST > 0 {
		said = append(said, "RST")
	}
	if m.Again > 0 {
		said = append(said, finding.Count(float64(m.Again))+" retransmitted")
	}
	if m.Lost > 0 {
		said = append(said, finding.Count(float64(m.Lost))+" lost")
	}
	return strings.Join(said, ", ")
}

// Summary says what a whole connection carried: "GET /1.jpg: 7 messages, 14 kB, to 365.2; FIN
// by server", which sent the first one.
func (l Ladder) Summary(c *ladder.Connection) string {
	var requests []ladder.Part
	var bytes, again int64
	var until linger.Instant
	ended := ""
	for _, i := range c.Messages {
		m := &l.Messages[i]
		bytes += m.Bytes
		again += m.Again
		until = max(until, m.Until())
		for _, p := range m.Parts {
			if p.Kind == ladder.Request {
				requests = append(requests, p)
			}
		}
		if m.RST > 0 && ended == "" {
			ended = "; RST by " + string(m.By)
		}
	}
	switch {
	case c.Both:
		ended = "; FIN by both"
	case c.First != trace.Nobody:
		ended = "; FIN by " + string(c.First)
	}
	what := "no request"
	if len(requests) > 0 {
		what = requestsText(l.Trace, requests)
	}
	s := fmt.Sprintf("%s: %s, %s, to %s", what, linger.Plural(len(c.Messages), "message"), finding.Bytes(float64(bytes)), finding.Tenth(until.Milliseconds()))
	if again > 0 {
		s += ", " + finding.Count(float64(again)) + " retransmitted"
	}
	return s + ended
}

// partsText says what is in a message, as far as that is known.
func partsText(t *trace.Trace, c *ladder.Connection, parts []ladder.Part) (said []string) {
	var requests, begun []ladder.Part
	more := 0
	for _, p := range parts {
		switch p.Kind {
		case ladder.Request:
			requests = append(requests, p)
		case ladder.Response:
			if p.Begins {
				begun = append(begun, p)
			} else {
				more++
			}
		default:
			said = append(said, partText(c, p.Kind))
		}
	}
	if len(requests) > 0 {
		said = append(said, requestsText(t, requests))
	}
	if more > 0 {
		text := "more"
		if len(begun) > 0 || more > 1 {
			text = "more of " + linger.Plural(more, "response")
		}
		said = append(said, text)
	}
	if len(begun) > 0 {
		said = append(said, responsesText(t, begun))
	}
	return said
}

// partText names what is neither request nor response.
func partText(c *ladder.Connection, kind ladder.Kind) string {
	k := c.Known.Or(trace.Connection{})
	resumed := ""
	if k.TLS.Or(trace.TLS{}).Resumed {
		resumed = ", resumed"
	}
	switch kind {
	case ladder.Hello:
		if OverQUIC(k) {
			return "Initial: ClientHello"
		}
		return "ClientHello"
	case ladder.Answer:
		if v := k.TLS.Or(trace.TLS{}).Version; v != "" && v != "1.3" {
			return "ServerHello …" + resumed
		}
		return "ServerHello … Finished" + resumed
	case ladder.Handshake:
		return "handshake"
	case ladder.Finished:
		return "Finished"
	case ladder.SetUp:
		return "setup"
	}
	if OverQUIC(k) {
		return "CONNECTION_CLOSE"
	}
	return "close"
}

// requestsText names one request, or counts several.
func requestsText(t *trace.Trace, parts []ladder.Part) string {
	e := &t.Exchanges[parts[0].Exchange]
	method := table.Clean(e.Method)
	if len(parts) > 1 {
		return fmt.Sprintf("%s × %d", method, len(parts))
	}
	text := method + " " + table.Short(objectName(e.URL), longestName)
	if parts[0].Unanswered {
		text += " (unanswered)"
	}
	return text
}

// objectName is a short name of what a URL is of: the last segment of its path.
func objectName(url string) string {
	name, _, _ := strings.Cut(Path(url), "?")
	if strings.HasPrefix(url, "dns:") {
		return strings.TrimPrefix(name, "/")
	}
	if i := strings.LastIndexByte(strings.TrimRight(name, "/"), '/'); i > 0 {
		name = name[i:]
	}
	return name
}

// responsesText says the status of one response, or counts several.
func responsesText(t *trace.Trace, parts []ladder.Part) string {
	var kinds []string
	count := map[string]int{}
	for _, p := range parts {
		e := &t.Exchanges[p.Exchange]
		what := "response"
		switch {
		case e.Status != 0:
			what = strconv.Itoa(e.Status)
		case e.Rcode != "":
			what = table.Clean(e.Rcode)
		}
		if count[what]++; count[what] == 1 {
			kinds = append(kinds, what)
		}
	}
	for i, what := range kinds {
		if n := count[what]; n > 1 {
			kinds[i] = fmt.Sprintf("%s × %d", what, n)
		}
	}
	return strings.Join(kinds, ", ")
}

// Title says what the messages are of: which trial of a strategy, of how many.
func (l Ladder) Title() string {
	t := l.Trace
	name := l.Strategy
	if t.Network.Name != "" {
		name += " on " + table.Clean(t.Network.Name)
	}
	s := fmt.Sprintf("%s, message by message: %s over %s%s in %s", name, linger.Plural(len(t.Exchanges), "request"), Carriers(t), Spoken(t), finding.Instant(t.Ended))
	if l.Trials > 1 {
		s += fmt.Sprintf("; trial %d of %d, the one nearest to the median", t.Trial+1, l.Trials)
	}
	if t.Provenance == trace.Predicted {
		s += "; predicted"
	}
	return s
}

// Notes say from where the messages were seen, how many there are of each kind, and
// how the round trips are counted.
func (l Ladder) Notes() []string {
	var out []string
	t := l.Trace
	switch {
	case l.Packets && t.Provenance == trace.Predicted:
		out = append(out, "Predicted: both ends of each message are the model's.")
	case l.Packets:
		out = append(out, "Seen on the emulated path, both ends: when a message left its sender, and when it came to its receiver.")
	default:
		out = append(out, "The client’s notes, no packets: it knows when it wrote and when it read. SYN and handshakes are inferred from when they were done, and who sent FIN or RST is not known, only who closed.")
	}
	if l.Paired {
		out = append(out, "Which packets are of which of the client’s connections is inferred from the order in which they were opened.")
	}
	if l.Packets {
		s := finding.Plural(float64(l.Sum.Requests), "request")
		if l.Sum.SYN > 0 { // else there is no TCP
			s += fmt.Sprintf(", %s, %s, %s", counted(l.Sum.SYN, "SYN"), counted(l.Sum.FIN, "FIN"), counted(l.Sum.RST, "RST"))
		}
		if l.Acks > 0 {
			s += fmt.Sprintf("; %s without content, which only acknowledge, are not drawn", finding.Plural(float64(l.Acks), "packet"))
		}
		if l.Unflown > 0 {
			s += fmt.Sprintf("; nor are %s for which there was no room", finding.Plural(float64(l.Unflown), "packet"))
		}
		out = append(out, s+".")
	}
	if s := l.waiting(); s != "" {
		out = append(out, s)
	}
	return append(out, l.tripsNote()...)
}

// counted is a number of segments with a flag; of such names there is no plural.
func counted(n int64, flag string) string {
	if n == 0 {
		return "no " + flag
	}
	return finding.Count(float64(n)) + " " + flag
}

// waiting says who is left with connections in TIME_WAIT.
func (l Ladder) waiting() string {
	var client, server, both int
	for i := range l.Connections {
		switch c := &l.Connections[i]; {
		case c.Both:
			both++
		case c.First == trace.AtClient:
			client++
		case c.First == trace.AtServer:
			server++
		}
	}
	var who []string
	for _, side := range []struct {
		name string
		n    int
	}{{"the server", server}, {"the client", client}, {"both at once", both}} {
		if side.n > 0 {
			who = append(who, fmt.Sprintf("%s on %s", side.name, linger.Plural(side.n, "connection")))
		}
	}
	if len(who) == 0 {
		return ""
	}
	return "Who sends the first FIN waits in TIME_WAIT: " + strings.Join(who, ", ") + "."
}

// tripsNote says how the round trips of the chain are counted, and why the table's differ.
func (l Ladder) tripsNote() []string {
	if l.Trips == 0 {
		return nil
	}
	s := fmt.Sprintf("%s follow one from another, and are numbered: each begins with a message that was sent when the one before had come.", finding.Plural(float64(l.Trips), "round trip"))
	if l.Trips == 1 {
		s = "1 round trip is numbered: nothing had to wait for another."
	}
	if !l.Packets {
		s = "At least: " + s + " How many a response takes is not seen."
	}
	if rtt := l.Trace.Network.RTT; rtt > 0 && l.Packets {
		took := time.Duration(l.Trips) * rtt
		s += fmt.Sprintf(" At %s that is %s of the %s.", finding.Instant(linger.Instant(rtt)), finding.Instant(linger.Instant(took)), finding.Instant(l.Ended))
	}
	for i := range l.Messages {
		if m := &l.Messages[i]; m.Trip > 0 && m.Again > 0 {
			s += " A retransmission counts as one, also where a timer sent it."
			break
		}
	}
	if v, ok := l.Figure.Get(); ok && l.Packets {
		s += fmt.Sprintf(" The table’s figure, %s, is the median time less that of trials without delay, by the RTT", finding.Trimmed(v, 1))
		switch n := math.Round(v); {
		case n < float64(l.Trips):
			s += ": it leaves out the round trips that pass while the link or a host is busy anyway"
		case n > float64(l.Trips):
			s += ": what timers and queues made it wait is in it"
		}
		s += "."
	}
	return []string{s}
}

// Table lists the messages of a ladder, the first so many. Rows are named by the message's
// number, from 0, behind id.
func (l Ladder) Table(id string, most int) table.Table {
	out := table.Table{Caption: "Messages", Columns: []table.Column{
		{Head: "connection"}, {Head: "round trip"}, {Head: "from", Align: table.Left},
		{Head: "left at, ms", Unit: "ms"}, {Head: "came at, ms", Unit: "ms"}, {Head: "the last at, ms", Unit: "ms"}, {Head: "what", Align: table.Left},
	}}
	for i := range l.Messages[:min(len(l.Messages), most)] {
		m := &l.Messages[i]
		trip, last := table.Word(""), table.Unknown()
		if m.Trip > 0 {
			trip = table.Int(m.Trip)
		}
		if at := m.ArrivedLast.Or(0); at > m.Arrived.Or(0) {
			last = Moment(linger.Known(at))
		}
		out.Add(table.Int(l.Connections[m.Connection].Number), trip, table.Word(string(m.By)), Moment(m.Sent), Moment(m.Arrived), last, table.Word(l.Text(m))).ID = id + strconv.Itoa(i)
	}
	if rest := len(l.Messages) - len(out.Rows); rest > 0 {
		out.More = "… and " + linger.Plural(rest, "message") + " more"
	}
	return out.Without(0, table.Nothing)
}
