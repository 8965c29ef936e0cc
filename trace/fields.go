package trace

import (
	"sync"
	"time"

	"linger"
)

// The fields of records, in the order of their types. The names are those of the tags.

type (
	instant = linger.Opt[linger.Instant]
	amount  = linger.Opt[int64]
)

func basisFields() []field[Basis] {
	return []field[Basis]{
		text("client", unless, func(b *Basis) *How { return &b.Client }),
		text("server", unless, func(b *Basis) *How { return &b.Server }),
		text("origin", unless, func(b *Basis) *How { return &b.Origin }),
		text("protocol", unless, func(b *Basis) *How { return &b.Protocol }),
		text("requests", unless, func(b *Basis) *How { return &b.Requests }),
		text("announced", unless, func(b *Basis) *How { return &b.Announced }),
		text("closed", unless, func(b *Basis) *How { return &b.Closed }),
	}
}

func connectionFields() []field[Connection] {
	return []field[Connection]{
		number("id", always, func(c *Connection) *int64 { return &c.ID }),
		text("client", unless, func(c *Connection) *string { return &c.Client }),
		text("server", unless, func(c *Connection) *string { return &c.Server }),
		text("forwarded_for", unless, func(c *Connection) *string { return &c.ForwardedFor }),
		text("origin", unless, func(c *Connection) *string { return &c.Origin }),
		text("protocol", unless, func(c *Connection) *linger.Protocol { return &c.Protocol }),
		part("known", basisFields(), func(c *Connection) *Basis { return &c.Known }),
		truth("began_before", unless, func(c *Connection) *bool { return &c.BeganBefore }),
		truth("still_open", unless, func(c *Connection) *bool { return &c.StillOpen }),
		known("resolving_us", func(c *Connection) *instant { return &c.Resolving }),
		lasting("dialled_us", func(c *Connection) *linger.Instant { return &c.Dialled }),
		known("syn_us", func(c *Connection) *instant { return &c.SYN }),
		known("syn_ack_us", func(c *Connection) *instant { return &c.SYNACK }),
		known("established_us", func(c *Connection) *instant { return &c.Established }),
		known("connected_us", func(c *Connection) *instant { return &c.Connected }),
		known("secured_us", func(c *Connection) *instant { return &c.Secured }),
		known("first_byte_us", func(c *Connection) *instant { return &c.FirstByte }),
		known("last_byte_us", func(c *Connection) *instant { return &c.LastByte }),
		known("announced_us", func(c *Connection) *instant { return &c.Announced }),
		text("announced_by", unless, func(c *Connection) *Peer { return &c.AnnouncedBy }),
		text("announced_with", unless, func(c *Connection) *Signal { return &c.AnnouncedWith }),
		known("closed_us", func(c *Connection) *instant { return &c.Closed }),
		knownPart("tls", tlsFields(), func(c *Connection) *linger.Opt[TLS] { return &c.TLS }),
		knownPart("quic", quicFields(), func(c *Connection) *linger.Opt[QUIC] { return &c.QUIC }),
		known("idle_limit_us", func(c *Connection) *linger.Opt[time.Duration] { return &c.IdleLimit }),
		knownNumber("streams_allowed", func(c *Connection) *amount { return &c.Streams }),
		knownTruth("fast_open", func(c *Connection) *linger.Opt[bool] { return &c.FastOpen }),
		text("closed_by", unless, func(c *Connection) *Peer { return &c.ClosedBy }),
		text("closed_with", unless, func(c *Connection) *Signal { return &c.ClosedWith }),
		text("reason", unless, func(c *Connection) *string { return &c.Reason }),
		known("released_us", func(c *Connection) *instant { return &c.Released }),
		knownPart("surplus", surplusFields(), func(c *Connection) *linger.Opt[Surplus] { return &c.Surplus }),
		text("agent", unless, func(c *Connection) *string { return &c.Agent }),
		text("software", unless, func(c *Connection) *string { return &c.Software }),
		number("requests", always, func(c *Connection) *int { return &c.Requests }),
		knownPart("up", flowFields(), func(c *Connection) *linger.Opt[Flow] { return &c.Up }),
		knownPart("down", flowFields(), func(c *Connection) *linger.Opt[Flow] { return &c.Down }),
		knownNumber("missing_bytes", func(c *Connection) *amount { return &c.Missing }),
		knownPart("probes", probesFields(), func(c *Connection) *linger.Opt[Probes] { return &c.Probes }),
		knownPart("outstanding", outstandingFields(), func(c *Connection) *linger.Opt[Outstanding] { return &c.Outstanding }),
		knownPart("unanswered", unansweredFields(), func(c *Connection) *linger.Opt[Unanswered] { return &c.Unanswered }),
		knownPart("goaway", goAwayFields(), func(c *Connection) *linger.Opt[GoAway] { return &c.GoAway }),
		knownNumber("turns", func(c *Connection) *amount { return &c.Turns }),
		knownNumber("within", func(c *Connection) *amount { return &c.Within }),
		knownNumber("stream", func(c *Connection) *amount { return &c.Stream }),
		part("frames", framesFields(), func(c *Connection) *Frames { return &c.Frames }),
		number("closed_frame", unless, func(c *Connection) *int64 { return &c.ClosedFrame }),
		knownNumber("sequence_up", func(c *Connection) *amount { return &c.SequenceUp }),
		knownNumber("sequence_down", func(c *Connection) *amount { return &c.SequenceDown }),
		knownPart("between", betweenFields(), func(c *Connection) *linger.Opt[Between] { return &c.Between }),
	}
}

func betweenFields() []field[Between] {
	return []field[Between]{
		text("act", always, func(b *Between) *Act { return &b.Act }),
		lasting("at_us", func(b *Between) *linger.Instant { return &b.At }),
		text("to", always, func(b *Between) *Peer { return &b.To }),
	}
}

func goAwayFields() []field[GoAway] {
	return []field[GoAway]{
		text("by", always, func(g *GoAway) *Peer { return &g.By }),
		lasting("at_us", func(g *GoAway) *linger.Instant { return &g.At }),
		text("code", unless, func(g *GoAway) *string { return &g.Code }),
		number("last_stream", always, func(g *GoAway) *int64 { return &g.Last }),
		text("debug", unless, func(g *GoAway) *string { return &g.Debug }),
	}
}

func outstandingFields() []field[Outstanding] {
	return []field[Outstanding]{
		number("up", always, func(o *Outstanding) *int64 { return &o.Up }),
		number("down", always, func(o *Outstanding) *int64 { return &o.Down }),
	}
}

func unansweredFields() []field[Unanswered] {
	return []field[Unanswered]{
		text("by", always, func(u *Unanswered) *Peer { return &u.By }),
		number("sent", always, func(u *Unanswered) *int64 { return &u.Sent }),
		lasting("since_us", func(u *Unanswered) *linger.Instant { return &u.Since }),
	}
}

func tlsFields() []field[TLS] {
	return []field[TLS]{
		text("server_name", unless, func(t *TLS) *string { return &t.ServerName }),
		texts("alpn_offered", func(t *TLS) *[]string { return &t.Offered }),
		texts("certificate_names", func(t *TLS) *[]string { return &t.Names }),
		text("version", always, func(t *TLS) *string { return &t.Version }),
		text("alpn", always, func(t *TLS) *string { return &t.ALPN }),
		text("cipher", always, func(t *TLS) *string { return &t.Cipher }),
		truth("resumed", always, func(t *TLS) *bool { return &t.Resumed }),
		knownTruth("early_data", func(t *TLS) *linger.Opt[bool] { return &t.EarlyData }),
		number("handshake_up_bytes", always, func(t *TLS) *int64 { return &t.Up }),
		number("handshake_down_bytes", always, func(t *TLS) *int64 { return &t.Down }),
		number("certificate_bytes", always, func(t *TLS) *int64 { return &t.Certificates }),
		knownTruth("resumption_asked", func(t *TLS) *linger.Opt[bool] { return &t.Asked }),
		knownNumber("tickets", func(t *TLS) *amount { return &t.Tickets }),
		known("ticket_lifetime_us", func(t *TLS) *linger.Opt[time.Duration] { return &t.Lifetime }),
		truth("session_id", unless, func(t *TLS) *bool { return &t.Session }),
		truth("hello_retried", unless, func(t *TLS) *bool { return &t.Retried }),
		truth("ech", unless, func(t *TLS) *bool { return &t.ECH }),
		text("keys", unless, func(t *TLS) *Keys { return &t.Keys }),
		texts("close_notify_by", func(t *TLS) *[]Peer { return &t.Notified }),
		text("alert", unless, func(t *TLS) *string { return &t.Alert }),
		text("alert_by", unless, func(t *TLS) *Peer { return &t.AlertBy }),
	}
}

func quicFields() []field[QUIC] {
	return []field[QUIC]{
		text("version", always, func(q *QUIC) *string { return &q.Version }),
		truth("retry", always, func(q *QUIC) *bool { return &q.Retry }),
		text("stack", unless, func(q *QUIC) *string { return &q.Stack }),
		number("lost", always, func(q *QUIC) *int64 { return &q.Lost }),
		number("migrations", unless, func(q *QUIC) *int64 { return &q.Migrations }),
		lasting("rtt_us", func(q *QUIC) *time.Duration { return &q.RTT }),
	}
}

func surplusFields() []field[Surplus] {
	return []field[Surplus]{
		number("bytes", always, func(s *Surplus) *int64 { return &s.Bytes }),
		text("text", always, func(s *Surplus) *string { return &s.Text }),
	}
}

func flowFields() []field[Flow] {
	return []field[Flow]{
		number("packets", always, func(f *Flow) *int64 { return &f.Packets }),
		number("header_bytes", always, func(f *Flow) *int64 { return &f.Header }),
		number("payload_bytes", always, func(f *Flow) *int64 { return &f.Payload }),
		number("syn", always, func(f *Flow) *int64 { return &f.SYN }),
		number("fin", always, func(f *Flow) *int64 { return &f.FIN }),
		number("rst", always, func(f *Flow) *int64 { return &f.RST }),
		number("initial", unless, func(f *Flow) *int64 { return &f.Initial }),
		number("retransmitted", always, func(f *Flow) *int64 { return &f.Retransmitted }),
		number("retransmitted_bytes", always, func(f *Flow) *int64 { return &f.RetransmittedBytes }),
		number("stalls", unless, func(f *Flow) *int64 { return &f.Stalls }),
		known("stalled_us", func(f *Flow) *linger.Opt[time.Duration] { return &f.Stalled }),
		number("dropped_queue", always, func(f *Flow) *int64 { return &f.DroppedQueue }),
		number("dropped_loss", always, func(f *Flow) *int64 { return &f.DroppedLoss }),
	}
}

func probesFields() []field[Probes] {
	return []field[Probes]{
		number("sent", always, func(p *Probes) *int64 { return &p.Sent }),
		number("answered", always, func(p *Probes) *int64 { return &p.Answered }),
		known("alive_us", func(p *Probes) *instant { return &p.Alive }),
	}
}

func framesFields() []field[Frames] {
	return []field[Frames]{
		number("first", unless, func(f *Frames) *int64 { return &f.First }),
		number("last", unless, func(f *Frames) *int64 { return &f.Last }),
		number("first_file", unless, func(f *Frames) *int { return &f.FirstFile }),
		number("last_file", unless, func(f *Frames) *int { return &f.LastFile }),
	}
}

func exchangeFields() []field[Exchange] {
	return []field[Exchange]{
		number("id", always, func(e *Exchange) *int { return &e.ID }),
		text("client", unless, func(e *Exchange) *string { return &e.Client }),
		text("method", always, func(e *Exchange) *string { return &e.Method }),
		text("url", always, func(e *Exchange) *string { return &e.URL }),
		number("connection", always, func(e *Exchange) *int64 { return &e.Connection }),
		number("number", unless, func(e *Exchange) *int { return &e.Number }),
		knownNumber("stream", func(e *Exchange) *amount { return &e.Stream }),
		number("attempts", always, func(e *Exchange) *int { return &e.Attempts }),
		attempts("earlier", func(e *Exchange) *[]Attempt { return &e.Earlier }),
		text("known", unless, func(e *Exchange) *How { return &e.Known }),
		number("status", unless, func(e *Exchange) *int { return &e.Status }),
		text("rcode", unless, func(e *Exchange) *string { return &e.Rcode }),
		truth("truncated", unless, func(e *Exchange) *bool { return &e.Truncated }),
		part("asked", saidFields(), func(e *Exchange) *Said { return &e.Asked }),
		part("answered", saidFields(), func(e *Exchange) *Said { return &e.Answered }),
		text("content_type", unless, func(e *Exchange) *string { return &e.ContentType }),
		text("redirect", unless, func(e *Exchange) *string { return &e.Redirect }),
		text("page", unless, func(e *Exchange) *string { return &e.Page }),
		text("initiator", unless, func(e *Exchange) *string { return &e.Initiator }),
		text("referer", unless, func(e *Exchange) *string { return &e.Referer }),
		lasting("queued_us", func(e *Exchange) *linger.Instant { return &e.Queued }),
		known("sent_us", func(e *Exchange) *instant { return &e.Sent }),
		known("first_byte_us", func(e *Exchange) *instant { return &e.FirstByte }),
		known("done_us", func(e *Exchange) *instant { return &e.Done }),
		known("done_by_us", func(e *Exchange) *instant { return &e.DoneBy }),
		known("dropped_us", func(e *Exchange) *instant { return &e.Dropped }),
		number("request_head", always, func(e *Exchange) *int64 { return &e.RequestHead }),
		number("request_body", always, func(e *Exchange) *int64 { return &e.RequestBody }),
		number("response_head", always, func(e *Exchange) *int64 { return &e.ResponseHead }),
		number("response_body", always, func(e *Exchange) *int64 { return &e.ResponseBody }),
		known("blocked_us", func(e *Exchange) *linger.Opt[time.Duration] { return &e.Blocked }),
		truth("credentials", unless, func(e *Exchange) *bool { return &e.Credentials }),
		text("failed", unless, func(e *Exchange) *string { return &e.Failed }),
		part("frames", framesFields(), func(e *Exchange) *Frames { return &e.Frames }),
		part("answer_frames", framesFields(), func(e *Exchange) *Frames { return &e.AnswerFrames }),
	}
}

func attemptFields() []field[Attempt] {
	return []field[Attempt]{
		number("connection", always, func(a *Attempt) *int64 { return &a.Connection }),
		number("number", unless, func(a *Attempt) *int { return &a.Number }),
		known("sent_us", func(a *Attempt) *instant { return &a.Sent }),
		text("failed", unless, func(a *Attempt) *string { return &a.Failed }),
	}
}

func saidFields() []field[Said] {
	return []field[Said]{
		text("version", unless, func(s *Said) *string { return &s.Version }),
		text("connection", unless, func(s *Said) *string { return &s.Connection }),
		text("keep_alive", unless, func(s *Said) *string { return &s.KeepAlive }),
	}
}

func endFields() []field[StreamEnd] {
	return []field[StreamEnd]{
		number("connections", always, func(e *StreamEnd) *int64 { return &e.Connections }),
		number("exchanges", always, func(e *StreamEnd) *int64 { return &e.Exchanges }),
		lasting("ended_us", func(e *StreamEnd) *linger.Instant { return &e.Ended }),
		number("lost", unless, func(e *StreamEnd) *int64 { return &e.Lost }),
		truth("interrupted", unless, func(e *StreamEnd) *bool { return &e.Interrupted }),
	}
}

// allTables are the fields of what is written and read by itself. They are made when they
// are asked for, so that who reads and writes no stream is built without them.
type allTables struct {
	once       sync.Once
	connection []field[Connection]
	exchange   []field[Exchange]
	attempt    []field[Attempt]
	end        []field[StreamEnd]
}

var made allTables

func tables() *allTables {
	made.once.Do(func() {
		made.attempt, made.end = attemptFields(), endFields()
		made.connection, made.exchange = connectionFields(), exchangeFields()
	})
	return &made
}

// texts are strings.
func texts[T any, S ~string](name string, at func(*T) *[]S) field[T] {
	return list(name, at, func(to []byte, s *S) []byte { return appendText(to, string(*s)) }, func(d *decoder, s *S) error {
		one, _, err := d.text()
		*s = S(one)
		return err
	})
}

// attempts are those of an exchange.
func attempts[T any](name string, at func(*T) *[]Attempt) field[T] {
	return list(name, at, func(to []byte, a *Attempt) []byte { return write(to, a, tables().attempt) }, func(d *decoder, a *Attempt) error {
		a.Connection = -1 // unless it says otherwise
		return read(d, a, tables().attempt)
	})
}
