package zeek

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// hand makes records of a connection and of what was on it, and hands them on.
func (l *Logs) hand(to Sink, r *row) error {
	uid, _ := r.text("uid")
	t := l.talks[uid]
	delete(l.talks, uid)
	if t == nil {
		t = &talk{}
	}
	c, ok := l.connection(r, t)
	if !ok {
		l.sum.Passed++
		l.sum.Unplaced += int64(len(t.requests))
		return nil
	}
	last := l.since(r)
	exchanges := l.exchangesOf(t, c.ID, last)
	for i := range exchanges {
		if e := &exchanges[i]; e.Failed != "" && c.StillOpen {
			e.DoneBy = linger.Opt[linger.Instant]{} // the client may wait for it still
		}
	}
	if c.Requests = len(exchanges); c.Requests > 0 {
		agent, _ := t.requests[0].text("user_agent")
		c.Agent = agent
	}
	l.sum.Last = max(l.sum.Last, last)
	for i := range exchanges {
		if err := to.WriteExchange(&exchanges[i]); err != nil {
			return err
		}
	}
	return to.WriteConnection(&c)
}

// at is a time as an instant.
func (l *Logs) at(t time.Time) linger.Instant { return linger.Instant(t.Sub(l.began)) }

// since is when the last packet of a connection passed that brought something: "the duration
// doesn't cover trailing non-productive TCP packets", as the last ACK.
func (l *Logs) since(r *row) linger.Instant {
	ts, _ := r.instant("ts")
	d, _ := r.interval("duration")
	return l.at(ts.Add(d))
}

// endpoint is an address and port of a row.
func endpoint(r *row, host, port string) string {
	h, _ := r.text(host)
	p, ok := r.text(port)
	if !ok {
		return h
	}
	return net.JoinHostPort(h, p)
}

// connection is the record of a connection of TCP or QUIC; others are none.
func (l *Logs) connection(r *row, t *talk) (c trace.Connection, ok bool) {
	proto, _ := r.text("proto")
	services, _ := r.text("service")
	quic := t.quic != nil || slices.Contains(strings.Split(services, ","), string(linger.QUIC))
	if proto != string(linger.TransportTCP) && !(proto == string(linger.TransportUDP) && quic) {
		return c, false
	}
	ts, _ := r.instant("ts")
	c = trace.Connection{
		ID: l.connections, Client: endpoint(r, "id.orig_h", "id.orig_p"), Server: endpoint(r, "id.resp_h", "id.resp_p"), Dialled: l.at(ts),
	}
	l.connections++
	c.Up, c.Down = flowOf(r, "orig"), flowOf(r, "resp")
	if n, ok := r.count("missed_bytes"); ok {
		c.Missing = linger.Known(n)
	}
	c.Protocol = protocol(services, t)
	secure(&c, t)
	if proto == string(linger.TransportUDP) {
		if c.TLS.IsZero() {
			c.Protocol = linger.QUIC
		}
		c.LastByte = linger.Known(l.since(r))
		return c, true
	}
	l.ends(&c, r)
	return c, true
}

// protocol is what was spoken, as far as logs say. Of a connection without rows in http.log nobody
// knows how many requests there were, if it carried anything: no protocol says that.
func protocol(services string, t *talk) linger.Protocol {
	has := func(service string) bool { return slices.Contains(strings.Split(services, ","), service) }
	switch {
	case len(t.requests) > 0:
		return linger.HTTP11
	case has(ofHandshakes), t.secure != nil:
		return linger.TLS
	}
	return ""
}

// ends says who closed a connection of TCP and how, by its state and its history: letters of what
// passed, in its order, the originator's in upper case. Where both closed, it was the one whose FIN
// or RST came first; when that was nobody logs, and the end of the connection is taken for it.
func (l *Logs) ends(c *trace.Connection, r *row) {
	state, _ := r.text("conn_state")
	history, logged := r.text("history")
	last := l.since(r)
	upper := strings.ToUpper(history)
	// The first letter of one that was seen from the beginning is a SYN, or with what Zeek
	// flipped the sign of that.
	c.BeganBefore = !strings.HasPrefix(strings.TrimPrefix(upper, "^"), "S")
	if !logged {
		c.BeganBefore = slices.Contains([]string{"OTH", "SHR", "RSTRH"}, state)
	}
	i := strings.IndexAny(history, "FfRr")
	switch {
	case i >= 0 && state != "S1":
		c.Closed = linger.Known(last)
		c.ClosedBy, c.ClosedWith = trace.AtClient, trace.FIN
		if history[i] >= 'a' {
			c.ClosedBy = trace.AtServer
		}
		if upper[i] == 'R' {
			c.ClosedWith = trace.RST
		}
		if strings.ContainsAny(history[i+1:], "FfRr") {
			// Its last packet is what the other side said to it, or a later word.
			c.Released, c.Known.Closed = linger.Known(last), trace.Inferred
		}
	case state == "S2", state == "S3", state == "RSTO", state == "RSTR", state == "REJ", state == "RSTOS0":
		c.Closed = linger.Known(last)
		c.ClosedBy, c.ClosedWith = trace.AtClient, trace.RST
		if state == "S3" || state == "RSTR" || state == "REJ" {
			c.ClosedBy = trace.AtServer
		}
		if state == "S2" || state == "S3" {
			c.ClosedWith = trace.FIN
		}
	case state == "S1", state == "OTH":
		// Zeek let go of it after a while without packets, or ended: so it was open.
		c.StillOpen, c.LastByte = true, linger.Known(last)
	}
}

// flowOf counts one direction. Zeek's bytes of payload are those of the sequence numbers: what was
// sent again counts as header here, since only whole packets are counted beside them.
func flowOf(r *row, side string) (out linger.Opt[trace.Flow]) {
	packets, ok := r.count(side + "_pkts")
	whole, ok2 := r.count(side + "_ip_bytes")
	if !ok || !ok2 {
		return out
	}
	payload, _ := r.count(side + "_bytes")
	payload = min(payload, whole)
	f := trace.Flow{Packets: packets, Payload: payload, Header: whole - payload}
	history, _ := r.text("history")
	count := func(letter string) int64 {
		if side == "orig" {
			letter = strings.ToUpper(letter)
		}
		return int64(strings.Count(history, letter))
	}
	f.SYN, f.FIN, f.RST = count("s")+count("h"), count("f"), count("r")
	return linger.Known(f)
}

// secure adds what ssl.log and quic.log say of the handshake.
func secure(c *trace.Connection, t *talk) {
	if q := t.quic; q != nil {
		version, _ := q.text("version")
		name, _ := q.text("server_name")
		c.QUIC = linger.Known(trace.QUIC{Version: version})
		s := trace.TLS{ServerName: name, Version: "1.3"}
		c.Protocol = linger.QUIC
		if offered, ok := q.text("client_protocol"); ok {
			s.Offered = []string{offered}
			if p := linger.ProtocolByALPN(offered); p.OverQUIC() {
				c.Protocol, c.Known.Protocol = p, trace.Announced
			}
		}
		c.TLS = linger.Known(s)
		return
	}
	r := t.secure
	if r == nil {
		return
	}
	s := trace.TLS{Resumed: r.is("resumed")}
	s.ServerName, _ = r.text("server_name")
	s.Cipher, _ = r.text("cipher")
	version, _ := r.text("version")
	s.Version = versions[version]
	if alpn, ok := r.text("next_protocol"); ok {
		s.ALPN = alpn
		if p := linger.ProtocolByALPN(alpn); p != "" {
			c.Protocol = p
		}
	}
	if alert, ok := r.text("last_alert"); ok && alert != string(trace.CloseNotify) {
		s.Alert = alert
	}
	c.TLS = linger.Known(s)
}

// versions are those of TLS, as Zeek names them and as records do.
var versions = map[string]string{"TLSv13": "1.3", "TLSv12": "1.2", "TLSv11": "1.1", "TLSv10": "1.0", "SSLv3": "3.0"}

// exchangesOf are the requests on a connection whose last packet passed then. http.log says when
// each was sent, and nothing of when its response ended: files.log does, for bodies. Without it the
// response had ended by the next request, or by the last packet.
func (l *Logs) exchangesOf(t *talk, connection int64, last linger.Instant) []trace.Exchange {
	slices.SortStableFunc(t.requests, func(a, b *row) int {
		x, _ := a.instant("ts")
		y, _ := b.instant("ts")
		i, _ := a.count("trans_depth")
		j, _ := b.count("trans_depth")
		return cmp.Or(x.Compare(y), cmp.Compare(i, j))
	})
	out := make([]trace.Exchange, len(t.requests))
	for i, r := range t.requests {
		ts, _ := r.instant("ts")
		status, answered := r.count("status_code")
		number, _ := r.count("trans_depth")
		e := trace.Exchange{ID: l.exchanges, Connection: connection, Number: int(min(number, 1<<31)), Attempts: 1, Known: trace.Announced, URL: urlOf(r), Queued: l.at(ts), Sent: linger.Known(l.at(ts))}
		l.exchanges++
		e.Method, _ = r.text("method")
		e.RequestBody, _ = r.count("request_body_len")
		e.ResponseBody, _ = r.count("response_body_len")
		e.Referer, _ = r.text("referrer")
		e.Credentials = r.has("username")
		if types := r.list("resp_mime_types"); len(types) > 0 {
			e.ContentType = types[0]
		}
		if e.Status = int(status); !answered || status > 999 {
			e.Status, e.Failed = 0, "no response"
		}
		by := last
		if i+1 < len(t.requests) {
			next, _ := t.requests[i+1].instant("ts")
			by = min(by, l.at(next))
		}
		e.DoneBy = linger.Known(max(by, e.Queued))
		for _, fuid := range r.list("resp_fuids") {
			if f, ok := l.files[fuid]; ok {
				e.FirstByte, e.Done = linger.Known(max(e.Queued, l.at(f.from))), linger.Known(max(e.Queued, l.at(f.to)))
				e.DoneBy = linger.Opt[linger.Instant]{}
				delete(l.files, fuid)
			}
		}
		out[i] = e
	}
	return out
}

// urlOf is what was asked for; to a proxy that is a whole URL already.
func urlOf(r *row) string {
	uri, _ := r.text("uri")
	if strings.Contains(uri, "://") || !strings.HasPrefix(uri, "/") {
		return uri
	}
	host, ok := r.text("host")
	if !ok {
		host = endpoint(r, "id.resp_h", "id.resp_p")
	}
	return linger.SchemeHTTP + "://" + host + uri
}
