package packet

import (
	"slices"

	"linger"
	"linger/capture/http3"
	"linger/capture/talk"
	"linger/dns"
	"linger/trace"
	"linger/wire"
)

// An overQUIC reads what the streams of a connection of QUIC carry, decrypted.
type overQUIC interface {
	// stream, gap, reset and window are as in quic.Handler.
	stream(r *Reader, c *conn, id int64, from talk.Side, b []byte, fin bool, m mark)
	gap(r *Reader, c *conn, id int64, from talk.Side, n int64, m mark)
	reset(r *Reader, c *conn, id int64, from talk.Side, stop bool, code uint64, m mark)
	window(r *Reader, c *conn, id int64, sender talk.Side, blocked bool, m mark)
	// close says that the connection has ended, and why. It may be called again.
	close(r *Reader, c *conn, why string)
	// tell puts what was learnt into the record of the connection.
	tell(t *trace.Connection)
	// codeName is the name of a code of the application (CONNECTION_CLOSE; RFC 9000, 19.19).
	codeName(code uint64) string
}

// newOverQUIC returns what reads the streams of a connection that speaks what ALPN chose, or
// nil where that is nothing that is read.
func newOverQUIC(r *Reader, c *conn, alpn string) overQUIC {
	switch linger.ProtocolByALPN(alpn) {
	case linger.H3:
		a := &h3App{}
		a.talk = http3.Conversation{Shared: &r.shared, Connection: c.id, Authority: c.authority()}
		return a
	case linger.DNSOverQUIC:
		return &doqApp{}
	}
	return nil
}

// h3App is HTTP/3.
type h3App struct {
	talk   http3.Conversation
	closed bool
}

func (a *h3App) stream(_ *Reader, _ *conn, id int64, from talk.Side, b []byte, fin bool, m mark) {
	a.talk.Stream(id, from, b, fin, m)
}

func (a *h3App) gap(_ *Reader, _ *conn, id int64, from talk.Side, n int64, m mark) {
	a.talk.Gap(id, from, n, m)
}

func (a *h3App) reset(_ *Reader, _ *conn, id int64, from talk.Side, stop bool, code uint64, m mark) {
	a.talk.Reset(id, from, stop, code, m)
}

func (a *h3App) window(_ *Reader, _ *conn, id int64, sender talk.Side, blocked bool, m mark) {
	a.talk.Window(id, sender, blocked, m)
}

func (a *h3App) close(r *Reader, _ *conn, why string) {
	a.talk.Close(why)
	if !a.closed {
		a.closed = true
		r.sum.Unread += a.talk.Unread
	}
}

func (a *h3App) codeName(code uint64) string { return http3.CodeName(code) }

func (a *h3App) tell(t *trace.Connection) {
	said := &a.talk
	t.Protocol, t.Known.Protocol, t.Requests = linger.H3, trace.Decrypted, int(said.Requests)
	if said.Queries > 0 && said.Queries == said.Requests {
		t.Protocol = linger.DNSOverHTTP3
	}
	if said.Host != "" {
		t.Origin = said.Host
	}
	t.Agent, t.Software, t.GoAway = said.Agent, said.Software, said.GoAway
	if g, ok := said.GoAway.Get(); ok && t.Announced.IsZero() {
		t.Announced, t.AnnouncedBy, t.AnnouncedWith = linger.Known(g.At), g.By, trace.GOAWAY
	}
}

// maxHeldQUIC bounds what one connection of DNS over QUIC holds of messages that have not ended.
const maxHeldQUIC = 1 << 20

// A doqApp is DNS over QUIC: a query on a stream, and its answers on the same (RFC 9250, 4.2).
type doqApp struct {
	streams map[int64]*doqStream
	sent    int64
	held    int // bytes of messages that have not ended
}

// A doqStream is one query with what came of it.
type doqStream struct {
	asked
	begun    bool
	answered bool
	side     [2]struct {
		buf   []byte
		began mark
		lost  bool // where the next message begins is not known
	}
}

// at returns a stream that may begin; nil is one that is none of a query.
func (a *doqApp) at(id int64) *doqStream {
	s := a.streams[id]
	if s == nil && id&3 == 0 && len(a.streams) < maxQueries {
		if a.streams == nil {
			a.streams = map[int64]*doqStream{}
		}
		s = &doqStream{}
		a.streams[id] = s
	}
	return s
}

func (a *doqApp) stream(r *Reader, c *conn, id int64, from talk.Side, b []byte, fin bool, m mark) {
	if a.streams[id] == nil && len(b) == 0 {
		return // the end of one that is over
	}
	s := a.at(id)
	if s == nil {
		return
	}
	side := &s.side[from]
	a.begin(r, c, s, id, from, m)
	switch {
	case side.lost:
	case a.held+len(b) > maxHeldQUIC:
		a.lose(s, from)
	default:
		if len(side.buf) == 0 {
			side.began = m
		}
		a.held += len(b)
		side.buf = append(side.buf, b...)
		rest := side.buf
		for len(rest) >= wire.MessagePrefix && len(rest) >= wire.MessagePrefix+wire.MessageSize(rest) {
			size := wire.MessagePrefix + wire.MessageSize(rest)
			a.message(c, s, from, rest[wire.MessagePrefix:size], m)
			rest, side.began = rest[size:], m
			a.held -= size
		}
		if len(rest) < len(side.buf) { // else each of many small pieces would move all of it
			side.buf = append(side.buf[:0], rest...)
		}
	}
	if fin && from == talk.Server {
		if !s.answered && s.Failed == "" {
			s.Failed = talk.Cut
			if side.lost {
				s.Failed = talk.NotCaptured
			}
		}
		a.hand(r, id, s)
	}
}

// begin makes a record of a query whose first bytes have come.
func (a *doqApp) begin(r *Reader, c *conn, s *doqStream, id int64, from talk.Side, m mark) {
	if s.begun {
		return
	}
	s.begun = true
	s.Exchange = trace.Exchange{
		ID: r.shared.Next(), Connection: c.id, Attempts: 1, Known: trace.Decrypted, Stream: linger.Known(id), Queued: m.At,
		Frames: trace.Frames{First: m.Frame, Last: m.Frame, FirstFile: m.File, LastFile: m.File},
	}
	a.sent++
	s.Number = int(a.sent)
	if from == talk.Client {
		s.Sent = linger.Known(m.At)
	}
}

// message takes in a message that is whole.
func (a *doqApp) message(c *conn, s *doqStream, from talk.Side, b []byte, m mark) {
	msg, err := dns.Read(b)
	if s.Method == "" && (err == nil || msg.Query != (linger.Query{})) {
		s.describe(c, &msg)
	}
	s.Frames.Last, s.Frames.LastFile = m.Frame, m.File
	if from == talk.Client {
		s.RequestHead += wire.MessagePrefix
		s.RequestBody += int64(len(b))
		return
	}
	began := s.side[from].began
	s.ResponseHead += wire.MessagePrefix
	s.ResponseBody += int64(len(b))
	if !s.answered {
		s.FirstByte, s.Rcode = linger.Known(began.At), ""
		if err == nil {
			s.Rcode = dns.Rcode(msg.Rcode)
		}
		s.AnswerFrames = trace.Frames{First: began.Frame, FirstFile: began.File}
	}
	s.answered, s.Done = true, linger.Known(m.At)
	s.AnswerFrames.Last, s.AnswerFrames.LastFile = m.Frame, m.File
}

// lose stops to read a side of a stream.
func (a *doqApp) lose(s *doqStream, from talk.Side) {
	side := &s.side[from]
	a.held -= len(side.buf)
	side.buf, side.lost = nil, true
}

func (a *doqApp) gap(r *Reader, c *conn, id int64, from talk.Side, _ int64, m mark) {
	if s := a.at(id); s != nil {
		a.begin(r, c, s, id, from, m)
		a.lose(s, from)
	}
}

func (a *doqApp) reset(r *Reader, _ *conn, id int64, from talk.Side, _ bool, code uint64, _ mark) {
	s := a.streams[id]
	if s == nil || !s.begun {
		return
	}
	if !s.answered && s.Failed == "" {
		s.Failed = string(from.Peer()) + " ended the stream with " + wire.DoQErrorName(code)
	}
	if from == talk.Server {
		a.hand(r, id, s)
	}
}

func (a *doqApp) window(*Reader, *conn, int64, talk.Side, bool, mark) {}

// hand hands on what is over.
func (a *doqApp) hand(r *Reader, id int64, s *doqStream) {
	a.lose(s, talk.Client)
	a.lose(s, talk.Server)
	delete(a.streams, id)
	r.exchange(linger.DNSOverQUIC, &s.Exchange)
}

func (a *doqApp) close(r *Reader, _ *conn, why string) {
	ids := make([]int64, 0, len(a.streams))
	for id := range a.streams {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		s := a.streams[id]
		if !s.answered && s.Failed == "" {
			s.Failed = why
		}
		if s.begun {
			a.hand(r, id, s)
		}
	}
	a.streams = nil
}

func (a *doqApp) codeName(code uint64) string { return wire.DoQErrorName(code) }

func (a *doqApp) tell(t *trace.Connection) {
	t.Protocol, t.Known.Protocol, t.Requests = linger.DNSOverQUIC, trace.Decrypted, int(a.sent)
}
