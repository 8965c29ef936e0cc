package logs

import (
	"bytes"
	"linger"
	"linger/capture/weblog"
	"linger/tune"
	"time"
)

// longestRequest is what one took at most: a duration beyond it is of something else.
const longestRequest = 7 * 24 * time.Hour

// arrivals makes arrivals of entries.
type arrivals struct {
	layout    *weblog.Layout
	forwarded bool
}

var (
	version2  = []byte(linger.H2.Title())
	version3  = []byte(linger.H3.Title())
	version11 = []byte(linger.HTTP11.Title())
	// version10 is HTTP/1.0, which keeps no connection unless it asks for that.
	version10 = []byte("HTTP/1.0")
)

func (a arrivals) of(e *weblog.Entry) tune.Arrival {
	client := e.Client
	if a.forwarded || client == nil {
		client, _, _ = bytes.Cut(e.Forwarded, []byte(","))
		client = bytes.TrimSpace(client)
	}
	r := tune.Arrival{Client: hash(client), Start: linger.Instant(e.At), End: linger.Instant(e.At)}
	if took := linger.Instant(min(e.Duration, longestRequest.Nanoseconds())); took > 0 {
		switch a.layout.Clock {
		case weblog.AtStart:
			r.End += took
		case weblog.AtEnd:
			r.Start -= took
		}
	}
	switch {
	case e.Connection >= 0:
		r.Connection = uint64(e.Connection) + 1
	case e.ClientPort > 0:
		r.Connection = uint64(e.ClientPort)
	}
	if e.Number > 0 {
		r.Number = e.Number
	}
	version := e.Protocol
	if version == nil && len(e.Request) > 8 {
		version = e.Request[len(e.Request)-8:]
	}
	if !bytes.Equal(version, version11) { // which most are
		r.Multiplexed = bytes.Contains(version, version2) || bytes.Contains(version, version3)
		r.Once = e.Number <= 1 && bytes.HasSuffix(version, version10)
	}
	r.Secure = r.Multiplexed || e.TLS != nil && string(e.TLS) != linger.SchemeHTTP
	r.Resumed, r.Full = e.Resumed == 1, e.Resumed == 0 && r.Secure
	r.Older = olderTLS(e.TLS)
	return r
}

// olderTLS reports whether a version of TLS, as a server names it, is 1.2 or older: "TLSv1.2",
// "TLSv1", "SSLv3", and 771 of Caddy (RFC 8446, 4.2.1).
func olderTLS(version []byte) bool {
	switch string(version) {
	case "TLSv1.2", "TLSv1.1", "TLSv1", "TLSv1.0", "SSLv3", "tls1.2", "tls1.1", "tls1.0", "1.2", "1.1", "1.0", "771", "770", "769":
		return true
	}
	return false
}

// hash is FNV-1a with its bits mixed, so that any of them may choose a sample: the same in
// every run.
func hash(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
