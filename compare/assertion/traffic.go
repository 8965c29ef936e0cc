package assertion

import (
	"slices"

	"linger/assert"
	"linger/compare/facts"
	"linger/trace"
)

// used is what crossed a link, and how many requests each connection carried, by the
// client's IP:port; nil where nobody read them.
type used struct {
	facts.Traffic
	ledger   trace.Ledger
	requests map[string]int
}

// ofTraffic are the figures of a program's connections that an assertion can name.
func ofTraffic() []assert.Figure[used] {
	return []assert.Figure[used]{
		assert.On("connections", assert.Number, "connections that the program opened, of TCP and QUIC", func(u used) assert.Value { return u.count(float64(u.Connections)) }),
		assert.On("handshakes", assert.Number, "those of them that were answered", func(u used) assert.Value { return u.count(float64(u.Handshakes)) }),
		assert.On("requests", assert.Number, "requests that the origin read", func(u used) assert.Value {
			if u.requests == nil {
				return assert.Unknown(unread)
			}
			return u.count(u.asked())
		}),
		assert.On("requests_per_connection", assert.Number, "requests on a connection that carried any", func(u used) assert.Value {
			if u.asked() == 0 {
				return assert.Unknown(u.noRequest())
			}
			return u.count(u.asked() / u.carrying())
		}),
		assert.On("reuse", assert.Share, "requests that were not the first on their connection", func(u used) assert.Value {
			if u.asked() == 0 {
				return assert.Unknown(u.noRequest())
			}
			return u.count(max(0, u.asked()-u.carrying()) / u.asked())
		}),
		assert.On("packets", assert.Number, "packets, both ways", func(u used) assert.Value { return u.count(u.Packets.Sum()) }),
		assert.On("packets_up", assert.Number, "packets towards the origin", func(u used) assert.Value { return u.count(u.Packets.Up) }),
		assert.On("packets_down", assert.Number, "packets towards the program", func(u used) assert.Value { return u.count(u.Packets.Down) }),
		assert.On("wire_bytes", assert.Size, "bytes on the wire, both ways", func(u used) assert.Value { return u.count(u.WireBytes.Sum()) }),
		assert.On("wire_bytes_up", assert.Size, "bytes on the wire towards the origin", func(u used) assert.Value { return u.count(u.WireBytes.Up) }),
		assert.On("wire_bytes_down", assert.Size, "bytes on the wire towards the program", func(u used) assert.Value { return u.count(u.WireBytes.Down) }),
		assert.On("retransmitted", assert.Number, "packets of TCP retransmitted", func(u used) assert.Value {
			if slices.ContainsFunc(u.ledger.Connections, func(f trace.Flows) bool { return f.IsQUIC() }) {
				return assert.Unknown("QUIC encrypts its packet numbers")
			}
			return u.count(u.Retransmitted.Sum())
		}),
	}
}

const (
	noRequest = "the origin read no request"
	unread    = "nobody read the requests: the server is not linger's"
)

// noRequest is why there is no request to count by.
func (u used) noRequest() string {
	if u.requests == nil {
		return unread
	}
	return noRequest
}

// count is a figure of everything that crossed the link.
func (u used) count(v float64) assert.Value {
	if u.ledger.Overflow > 0 {
		return assert.Unknown("there were more connections than the ledger holds")
	}
	return assert.Exactly(v)
}

// asked is how many requests there were.
func (u used) asked() float64 {
	sum := 0
	for _, n := range u.requests {
		sum += n
	}
	return float64(sum)
}

// carrying is how many connections carried a request. A client may take a port again, whose
// connections are counted together: each of them has carried one.
func (u used) carrying() float64 {
	opened := map[string]int{}
	for _, f := range u.ledger.Connections {
		opened[f.Client]++
	}
	sum := 0
	for client, n := range u.requests {
		if n > 0 {
			sum += min(n, max(1, opened[client]))
		}
	}
	return float64(sum)
}

// TrafficVocabulary is what an assertion about a program's connections can name.
func TrafficVocabulary() assert.Vocabulary {
	return assert.Vocabulary{Names: assert.NamesOf(ofTraffic()), Listed: "docs/assert.md lists the names"}
}

// TrafficFigures are what is known of them, from what crossed the link and the requests
// that the origin read on each connection, by the client's IP:port; nil where nobody did.
func TrafficFigures(l trace.Ledger, requests map[string]int) assert.Figures {
	return assert.InTable(ofTraffic(), used{facts.TrafficOf(l), l, requests})
}
