package qlog

import (
	"cmp"
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/trace"
	"linger/wire"
)

// A connection is one whose events are being read.
type connection struct {
	server  bool // they are the server's
	record  trace.Connection
	quic    trace.QUIC
	began   linger.Instant
	streams map[int64]*stream
	http    bool // there are events of HTTP/3
	idle    [2]linger.Opt[time.Duration]
	closed  bool
}

// A stream is one that a client opened for both directions, which carries a request.
type stream struct {
	method, scheme, authority, path, agent string
	status                                 int
	asked                                  bool // a request was seen
	sent, first, last                      linger.Opt[linger.Instant]
	ended                                  bool // the server's side
	dropped                                linger.Opt[linger.Instant]
	requestHead, requestBody               int64
	responseHead, responseBody             int64
	up, down, got                          int64 // by offsets; and of all frames, where some came twice
}

// isRequest reports whether a stream is one that a client opens for both directions: "the least
// significant bits" of its number are 0 (RFC 9000, 2.1).
func isRequest(id int64) bool { return id >= 0 && id%4 == 0 }

func (c *connection) stream(id int64) *stream {
	s := c.streams[id]
	if s == nil {
		s = &stream{}
		c.streams[id] = s
	}
	return s
}

// peer is which side does what the one that wrote the events, or the other, does.
func (c *connection) peer(own bool) trace.Peer {
	if own == c.server {
		return trace.AtServer
	}
	return trace.AtClient
}

// take takes in an event. Names of schemas have changed ("transport:", "quic:"), those of events
// have not: the part behind the colon tells.
func (c *connection) take(e *event, at linger.Instant) {
	_, name, found := strings.Cut(e.Name, ":")
	if !found {
		return
	}
	switch name {
	case "connection_started":
		c.started(e.Data)
		c.record.Dialled = at
	case "tuple_assigned", "path_assigned":
		c.moved(e.Data)
	case "version_information":
		d := read[struct {
			Chosen string `json:"chosen_version"`
		}](e.Data)
		c.quic.Version = cmp.Or(version(d.Chosen), c.quic.Version)
	case "alpn_information":
		c.alpn(e.Data)
	case "parameters_set":
		c.parameters(e.Data)
	case "connection_state_updated":
		c.state(e.Data, at)
	case "packet_sent":
		c.packet(e.Data, at, true)
	case "packet_received":
		c.packet(e.Data, at, false)
	case "packet_lost":
		c.quic.Lost++
	case "metrics_updated", "recovery_metrics_updated":
		d := read[struct {
			RTT float64 `json:"smoothed_rtt"`
		}](e.Data)
		if d.RTT > 0 && d.RTT < 1e9 {
			c.quic.RTT = time.Duration(d.RTT * 1e6)
		}
	case "frame_created":
		c.frame(e.Data, at, true)
	case "frame_parsed":
		c.frame(e.Data, at, false)
	case "connection_closed":
		c.end(e.Data, at)
	}
}

// read reads what is known here of an event's data; what is of another form has nothing.
func read[T any](raw json.RawMessage) (d T) {
	if json.Unmarshal(raw, &d) != nil {
		var none T
		return none
	}
	return d
}

// A place is one end of a path, in the forms that schemas have had.
type place struct {
	V4 struct {
		IP   string `json:"ip"`
		Port uint16 `json:"port"`
	} `json:"address_v4"`
	V6 struct {
		IP   string `json:"ip"`
		Port uint16 `json:"port"`
	} `json:"address_v6"`
	IP4   string `json:"ip_v4"`
	Port4 uint16 `json:"port_v4"`
	IP6   string `json:"ip_v6"`
	Port6 uint16 `json:"port_v6"`
}

func (p place) String() string {
	for _, one := range []struct {
		ip   string
		port uint16
	}{{p.V4.IP, p.V4.Port}, {p.V6.IP, p.V6.Port}, {p.IP4, p.Port4}, {p.IP6, p.Port6}} {
		if s := joined(one.ip, one.port); s != "" {
			return s
		}
	}
	return ""
}

func joined(ip string, port uint16) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.IsUnspecified() {
		return ""
	}
	return netip.AddrPortFrom(a.Unmap(), port).String()
}

// started takes in whose connection it is. src is the side that wrote the events.
func (c *connection) started(raw json.RawMessage) {
	d := read[struct {
		Local  place  `json:"local"`
		Remote place  `json:"remote"`
		Source string `json:"src_ip"`
		Dest   string `json:"dst_ip"`
		From   uint16 `json:"src_port"`
		To     uint16 `json:"dst_port"`
	}](raw)
	c.ends(cmp.Or(d.Local.String(), joined(d.Source, d.From)), cmp.Or(d.Remote.String(), joined(d.Dest, d.To)))
}

func (c *connection) ends(own, other string) {
	if c.server {
		own, other = other, own
	}
	c.record.Client, c.record.Server = cmp.Or(own, c.record.Client), cmp.Or(other, c.record.Server)
}

// moved takes in a path. The first one is the connection's own; a later one from elsewhere is a
// migration (RFC 9000, 9).
func (c *connection) moved(raw json.RawMessage) {
	d := read[struct {
		Local  place `json:"tuple_local"`
		Remote place `json:"tuple_remote"`
		From   place `json:"path_local"`
		To     place `json:"path_remote"`
	}](raw)
	own, other := cmp.Or(d.Local.String(), d.From.String()), cmp.Or(d.Remote.String(), d.To.String())
	client := own
	if c.server {
		client = other
	}
	switch {
	case c.record.Client == "":
		c.ends(own, other)
	case client != "" && client != c.record.Client:
		c.quic.Migrations++
	}
}

// version is that of QUIC without what some write before it: "1", "v1", "00000001".
func version(s string) string {
	s = strings.TrimPrefix(s, "v")
	switch strings.TrimLeft(strings.TrimPrefix(s, "0x"), "0") {
	case "1":
		return "1"
	case "2", "6b3343cf": // RFC 9369, 3.1
		return "2"
	}
	return ""
}

func (c *connection) alpn(raw json.RawMessage) {
	d := read[struct {
		Chosen json.RawMessage `json:"chosen_alpn"`
	}](raw)
	token := read[string](d.Chosen)
	if token == "" {
		token = read[struct {
			Text string `json:"string_value"`
		}](d.Chosen).Text
	}
	if p := linger.ProtocolByALPN(token); p != "" {
		c.record.Protocol = p
	}
}

// parameters takes in what a side says that it allows. "local" is the side that wrote the events.
func (c *connection) parameters(raw json.RawMessage) {
	d := read[struct {
		Initiator string  `json:"initiator"`
		Owner     string  `json:"owner"`
		Idle      float64 `json:"max_idle_timeout"`
		Streams   *int64  `json:"initial_max_streams_bidi"`
		Bidi      *int64  `json:"initial_max_streams_bidirectional"`
	}](raw)
	who := cmp.Or(d.Initiator, d.Owner)
	if who != "local" && who != "remote" {
		return
	}
	of := c.peer(who == "local")
	i := 0
	if of == trace.AtServer {
		i = 1
	}
	if d.Idle > 0 && d.Idle < 1e9 {
		c.idle[i] = linger.Known(time.Duration(d.Idle * 1e6))
	}
	for _, n := range []*int64{d.Streams, d.Bidi} {
		if n != nil && *n > 0 && of == trace.AtServer {
			c.record.Streams = linger.Known(*n)
		}
	}
}

func (c *connection) state(raw json.RawMessage, at linger.Instant) {
	d := read[struct {
		New string `json:"new"`
	}](raw)
	switch d.New {
	case "handshake_complete", "handshake_completed":
		if c.record.Secured.IsZero() {
			c.record.Secured, c.record.Connected = linger.Known(at), linger.Known(at)
		}
	case "closed", "draining", "closing":
		c.closed = true
		if c.record.Closed.IsZero() {
			c.record.Closed = linger.Known(at)
		}
	}
}

// packet takes in what the frames of a packet say of streams and of the connection's end.
func (c *connection) packet(raw json.RawMessage, at linger.Instant, own bool) {
	d := read[struct {
		Header struct {
			Type    string `json:"packet_type"`
			Version string `json:"version"`
		} `json:"header"`
		Frames []struct {
			Type   string          `json:"frame_type"`
			Stream json.RawMessage `json:"stream_id"`
			Offset int64           `json:"offset"`
			Length int64           `json:"length"`
			Fin    bool            `json:"fin"`
			closing
		} `json:"frames"`
	}](raw)
	if c.quic.Version == "" {
		c.quic.Version = version(d.Header.Version)
	}
	c.quic.Retry = c.quic.Retry || d.Header.Type == "retry"
	by := c.peer(own)
	for _, f := range d.Frames {
		id, ok := number(f.Stream)
		switch {
		case f.Type == "connection_close":
			c.shut(f.closing, at, by)
		case !ok || !isRequest(id):
		case f.Type == "stream":
			if f.Length > 0 || f.Fin {
				c.passed(at)
				c.stream(id).carry(at, by, f.Offset, f.Length, f.Fin)
			}
		case f.Type == "reset_stream" || f.Type == "stop_sending":
			if s := c.stream(id); s.dropped.IsZero() {
				s.dropped = linger.Known(at)
			}
		}
	}
}

// passed takes in that something of the application's passed.
func (c *connection) passed(at linger.Instant) {
	if c.record.FirstByte.IsZero() {
		c.record.FirstByte = linger.Known(at)
	}
	c.record.LastByte = linger.Known(at)
}

// carry takes in bytes of a stream.
func (s *stream) carry(at linger.Instant, by trace.Peer, offset, length int64, fin bool) {
	most := min(max(0, offset)+max(0, length), 1<<50)
	if by == trace.AtClient {
		if s.sent.IsZero() {
			s.sent = linger.Known(at)
		}
		s.up = max(s.up, most)
		return
	}
	if s.first.IsZero() {
		s.first = linger.Known(at)
	}
	if !s.ended || s.got < s.down || fin && most > s.down {
		s.last = linger.Known(at) // until all is there; what comes again ends nothing later
	}
	s.got = min(s.got+max(0, length), 1<<50)
	s.down, s.ended = max(s.down, most), s.ended || fin
}

// number is a number that is written as one, or as a text.
func number(raw json.RawMessage) (int64, bool) {
	s := strings.Trim(string(raw), `"`)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n < math.MaxInt64/8
}

// A closing is what is said of an end, in an event or a frame of it.
type closing struct {
	Initiator   string          `json:"initiator"`
	Owner       string          `json:"owner"`
	Space       string          `json:"error_space"`
	Error       json.RawMessage `json:"error"`
	Connection  json.RawMessage `json:"connection_error"`
	Application json.RawMessage `json:"application_error"`
	ConnCode    json.RawMessage `json:"connection_code"`
	AppCode     json.RawMessage `json:"application_code"`
	Code        json.RawMessage `json:"error_code"`
	Reason      string          `json:"reason"`
	Trigger     string          `json:"trigger"`
}

// name is the name of the error: of HTTP/3, or of the transport.
func (d closing) name() string {
	application := d.Space == "application" || d.Application != nil || d.AppCode != nil
	for _, raw := range []json.RawMessage{d.Application, d.Connection, d.AppCode, d.ConnCode, d.Error, d.Code} {
		if n, ok := number(raw); ok && raw != nil {
			switch {
			case application:
				return wire.HTTP3ErrorName(uint64(n))
			case n == 0:
				return "NO_ERROR"
			}
			return "TRANSPORT_ERROR_0x" + strings.ToUpper(strconv.FormatInt(n, 16))
		}
		if s := read[string](raw); s != "" && s != "unknown" {
			return strings.ToUpper(s)
		}
	}
	return ""
}

// end takes in that a side closed.
func (c *connection) end(raw json.RawMessage, at linger.Instant) {
	d := read[closing](raw)
	switch {
	case d.Trigger == "idle_timeout":
		c.record.Closed, c.record.ClosedWith, c.record.ClosedBy = linger.Known(at), trace.IdleTimeout, trace.Nobody
		c.closed = true
	default:
		who := cmp.Or(d.Initiator, d.Owner)
		c.shut(d, at, c.peer(who != "remote"))
	}
}

// shut is the end by a side, once.
func (c *connection) shut(d closing, at linger.Instant, by trace.Peer) {
	if c.record.ClosedWith != "" {
		return
	}
	c.closed = true
	if c.record.Closed.IsZero() {
		c.record.Closed = linger.Known(at)
	}
	c.record.ClosedBy, c.record.ClosedWith = by, trace.ConnectionClose
	c.record.Reason = d.name()
}

// frame takes in one of HTTP/3 that the writer of the events made, or read.
func (c *connection) frame(raw json.RawMessage, at linger.Instant, own bool) {
	d := read[struct {
		Stream json.RawMessage `json:"stream_id"`
		Length int64           `json:"length"`
		Raw    size            `json:"raw"`
		Frame  struct {
			Type    string          `json:"frame_type"`
			Headers []field         `json:"headers"`
			Length  int64           `json:"length"`
			Raw     size            `json:"raw"`
			ID      json.RawMessage `json:"id"`
			Last    json.RawMessage `json:"stream_id"`
		} `json:"frame"`
	}](raw)
	id, ok := number(d.Stream)
	if d.Frame.Type == "goaway" {
		c.goAway(cmp.Or(string(d.Frame.ID), string(d.Frame.Last)), at, c.peer(own))
	}
	if !ok || !isRequest(id) || d.Frame.Type == "" {
		return
	}
	c.http = true
	n := cmp.Or(d.Frame.Raw.Payload, d.Frame.Raw.Length, d.Frame.Length, d.Raw.Payload, d.Raw.Length, d.Length)
	n = min(max(0, n), 1<<50)
	by := c.peer(own)
	s := c.stream(id)
	switch {
	case d.Frame.Type == "headers":
		s.head(d.Frame.Headers, n, at, by)
	case d.Frame.Type == "data" && by == trace.AtClient:
		s.requestBody = min(s.requestBody+n, 1<<50)
	case d.Frame.Type == "data":
		s.responseBody = min(s.responseBody+n, 1<<50)
	}
	if agent := s.agent; agent != "" && c.record.Agent == "" {
		c.record.Agent = agent
	}
	if server := value(d.Frame.Headers, "server"); server != "" && by == trace.AtServer && c.record.Software == "" {
		c.record.Software = server
	}
}

// A size is how long something is, with its head and without.
type size struct {
	Length  int64 `json:"length"`
	Payload int64 `json:"payload_length"`
}

// A field is one of a head.
type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func value(all []field, name string) string {
	if i := slices.IndexFunc(all, func(f field) bool { return strings.EqualFold(f.Name, name) }); i >= 0 {
		return all[i].Value
	}
	return ""
}

// head takes in the fields of a request or a response. Trailers have none that begin with a colon,
// and 1xx is no last response (RFC 9114, 4.1).
func (s *stream) head(fields []field, n int64, at linger.Instant, by trace.Peer) {
	if method := value(fields, ":method"); method != "" && by == trace.AtClient {
		s.asked, s.method, s.requestHead = true, method, n
		s.scheme, s.authority, s.path = value(fields, ":scheme"), value(fields, ":authority"), value(fields, ":path")
		s.agent = value(fields, "user-agent")
		if s.sent.IsZero() {
			s.sent = linger.Known(at)
		}
	}
	if status, err := strconv.Atoi(value(fields, ":status")); err == nil && status >= 200 && status <= 999 && by == trace.AtServer {
		s.status, s.responseHead = status, n
		if s.first.IsZero() {
			s.first = linger.Known(at)
		}
	}
}

func (c *connection) goAway(last string, at linger.Instant, by trace.Peer) {
	id, ok := number(json.RawMessage(last))
	if !ok || !c.record.GoAway.IsZero() {
		return
	}
	c.record.GoAway = linger.Known(trace.GoAway{By: by, At: at, Last: id})
	c.record.Announced, c.record.AnnouncedBy, c.record.AnnouncedWith = linger.Known(at), by, trace.GOAWAY
}

// close completes the record when all events are known.
func (c *connection) close() {
	r := &c.record
	r.QUIC = linger.Known(c.quic)
	r.StillOpen = !c.closed
	client, server := c.idle[0], c.idle[1]
	if limit, ok := server.Get(); ok && limit < client.Or(math.MaxInt64) {
		r.IdleLimit = linger.Known(limit)
	}
	// A client's last word while nobody says more is a close without a reason.
	if c.closed && r.ClosedWith == "" {
		r.Closed = linger.Opt[linger.Instant]{}
	}
}

// exchanges are the requests, in the order of their streams.
func (c *connection) exchanges() (out []trace.Exchange) {
	ids := make([]int64, 0, len(c.streams))
	for id := range c.streams {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		s := c.streams[id]
		if c.http && !s.asked || s.sent.IsZero() && s.first.IsZero() {
			continue // of something else than a request, or of one before the events
		}
		e := trace.Exchange{
			Connection: c.record.ID, Number: len(out) + 1, Stream: linger.Known(id), Attempts: 1, Method: s.method, Status: s.status,
			Queued: s.sent.Or(s.first.Or(c.began)), Sent: s.sent, FirstByte: s.first, Dropped: s.dropped,
			RequestHead: s.requestHead, RequestBody: s.requestBody, ResponseHead: s.responseHead, ResponseBody: s.responseBody,
		}
		if s.ended {
			e.Done = s.last
		}
		if s.asked {
			e.URL = cmp.Or(s.scheme, linger.SchemeHTTPS) + "://" + cmp.Or(s.authority, c.record.Server) + s.path
		} else {
			e.Known, e.RequestBody, e.ResponseBody = trace.Inferred, s.up, s.down
		}
		if e.Done.IsZero() {
			e.Failed = "no whole response"
		}
		out = append(out, e)
	}
	return out
}
