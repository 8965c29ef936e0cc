package handshake

import (
	"time"

	"linger"
	"linger/audit/limit"
	"linger/trace"
)

// A Section is what is told of encrypted connections. What is not known is absent.
type Section struct {
	// Connections counts the encrypted ones, Keys what keys decrypt of them, where any were
	// given.
	Connections int              `json:"connections"`
	Keys        linger.Opt[Keys] `json:"keys,omitzero"`
	// Inferred are those whose requests are concluded from sizes and times.
	Inferred int            `json:"inferred,omitempty"`
	Versions map[string]int `json:"versions,omitempty"`
	ALPN     map[string]int `json:"alpn,omitempty"` // what servers chose; "" is none
	// Full and Resumed are the handshakes that were seen to begin.
	Full    Kind `json:"full,omitzero"`
	Resumed Kind `json:"resumed,omitzero"`
	// Asked counts the clients' hellos that asked to resume, Refused those of them to which the
	// server did not, Unused full handshakes of clients that had been given what to ask by,
	// which is not known where that cannot be seen of any connection.
	Asked   int             `json:"asked"`
	Refused int             `json:"refused"`
	Unused  linger.Opt[int] `json:"unused,omitzero"`
	// Ticketed are connections on which the server gave tickets, Tickets how many.
	Ticketed int   `json:"ticketed,omitempty"`
	Tickets  int64 `json:"tickets,omitempty"`
	// EarlyData, Retried and ECH are handshakes in which the server took early data, wanted
	// another hello, and whose client's hello had an encrypted one inside.
	EarlyData int            `json:"early_data,omitempty"`
	Retried   int            `json:"hello_retried,omitempty"`
	ECH       int            `json:"ech,omitempty"`
	Alerts    map[string]int `json:"alerts,omitempty"` // other than close_notify
	// Unnotified are connections that a side ended by its FIN alone, without close_notify.
	Unnotified Unnotified `json:"closed_without_notify,omitzero"`
}

// Keys is what keys decrypt.
type Keys struct {
	With      int `json:"with_keys"` // connections for which there are keys
	Decrypted int `json:"decrypted"` // all that was captured of them
	Partly    int `json:"partly"`
	Wrong     int `json:"wrong"`
}

// Unnotified counts connections by who left close_notify out.
type Unnotified struct {
	Client int `json:"client"`
	Server int `json:"server"`
	Of     int `json:"of"` // where it would have been seen
}

// A Kind is what handshakes of one kind took, as medians.
type Kind struct {
	N           int                 `json:"n"`
	Time        linger.Opt[float64] `json:"median_ms,omitzero"` // of TLS alone
	Bytes       linger.Opt[float64] `json:"median_bytes,omitzero"`
	Certificate linger.Opt[float64] `json:"median_certificate_bytes,omitzero"`
	Trips       linger.Opt[float64] `json:"median_round_trips,omitzero"` // of TLS alone
}

// An Ending is how a connection was ended, as far as close_notify goes.
type Ending struct {
	FIN   trace.Peer // who sent the first; empty where there was none, or another end
	Whole bool       // nothing of it is missing
}

// kind is what one kind comes to so far.
type kind struct {
	n                               int
	time, bytes, certificate, trips limit.Values
}

// A Sum counts handshakes. The zero value is empty.
type Sum struct {
	section Section
	keys    Keys
	keyed   bool
	kinds   [2]kind // full, resumed
}

// Add counts the connection of a handshake. inferred says that its requests are.
func (s *Sum) Add(t trace.TLS, inferred bool, end Ending) {
	x := &s.section
	x.Connections++
	if inferred {
		x.Inferred++
	}
	if t.Keys != "" {
		s.keyed = true
	}
	switch t.Keys {
	case trace.AllKeys:
		s.keys.With++
		s.keys.Decrypted++
	case trace.SomeKeys:
		s.keys.With++
		s.keys.Partly++
	case trace.WrongKeys:
		s.keys.With++
		s.keys.Wrong++
	}
	if t.Version == "" {
		return
	}
	count(&x.Versions, t.Version)
	if t.Version != "1.3" || t.ALPN != "" || t.Keys == trace.AllKeys {
		count(&x.ALPN, t.ALPN)
	}
	for _, one := range []struct {
		is bool
		n  *int
	}{{t.Asked.Or(false), &x.Asked}, {t.EarlyData.Or(false), &x.EarlyData}, {t.Retried, &x.Retried}, {t.ECH, &x.ECH}, {t.Tickets.Or(0) > 0, &x.Ticketed}} {
		if one.is {
			*one.n++
		}
	}
	if x.Tickets += t.Tickets.Or(0); !t.Tickets.IsZero() || t.Session {
		x.Unused = linger.Known(x.Unused.Or(0))
	}
	if t.Alert != "" {
		count(&x.Alerts, t.Alert)
	}
	s.end(t, end)
}

// end counts a FIN without close_notify: "Each party MUST send a 'close_notify' alert before
// closing its write side of the connection" (RFC 8446, 6.1). Where records are encrypted as in TLS
// 1.3 only keys show alerts.
func (s *Sum) end(t trace.TLS, end Ending) {
	if !end.Whole || end.FIN == trace.Nobody || t.Version == "1.3" && t.Keys != trace.AllKeys {
		return
	}
	u := &s.section.Unnotified
	u.Of++
	for _, p := range t.Notified {
		if p == end.FIN {
			return
		}
	}
	if end.FIN == trace.AtClient {
		u.Client++
	} else {
		u.Server++
	}
}

// Took counts what a handshake took: lasted is TLS's part, unknown is negative.
func (s *Sum) Took(t trace.TLS, lasted time.Duration, trips int) {
	k := &s.kinds[kindOf(t)]
	k.n++
	if lasted >= 0 {
		k.time.Add(float64(lasted) / 1e6)
	}
	if t.Up > 0 && t.Down > 0 {
		k.bytes.Add(float64(t.Up + t.Down))
	}
	if t.Certificates > 0 {
		k.certificate.Add(float64(t.Certificates))
	}
	k.trips.Add(float64(trips))
}

func kindOf(t trace.TLS) int {
	if t.Resumed {
		return 1
	}
	return 0
}

// Judged counts what became of resumption.
func (s *Sum) Judged(o Outcome) {
	switch o {
	case Refused:
		s.section.Refused++
	case Unused:
		s.section.Unused = linger.Known(s.section.Unused.Or(0) + 1)
	}
}

// Section returns what there is; ok is false where nothing was encrypted.
func (s *Sum) Section() (x Section, ok bool) {
	x = s.section
	if s.keyed {
		x.Keys = linger.Known(s.keys)
	}
	x.Full, x.Resumed = s.kinds[0].medians(), s.kinds[1].medians()
	return x, x.Connections > 0
}

// Kinds are full and resumed handshakes.
func (s *Sum) Kinds() (full, resumed Kind) { return s.kinds[0].medians(), s.kinds[1].medians() }

func (k *kind) medians() Kind {
	return Kind{N: k.n, Time: k.time.Median(), Bytes: k.bytes.Median(), Certificate: k.certificate.Median(), Trips: k.trips.Median()}
}

// ResumedShare is the share of the handshakes that were resumed, unknown of none.
func (x Section) ResumedShare() linger.Opt[float64] {
	n := x.Full.N + x.Resumed.N
	if n == 0 {
		return linger.Opt[float64]{}
	}
	return linger.Known(float64(x.Resumed.N) / float64(n))
}

// DecryptedShare is the share of the encrypted connections that keys decrypt all of; unknown
// without any, or without keys.
func (x Section) DecryptedShare() linger.Opt[float64] {
	k, ok := x.Keys.Get()
	if !ok || x.Connections == 0 {
		return linger.Opt[float64]{}
	}
	return linger.Known(float64(k.Decrypted) / float64(x.Connections))
}

// count counts a name in a table of at most mostNames.
func count(of *map[string]int, name string) {
	if *of == nil {
		*of = map[string]int{}
	}
	if _, ok := (*of)[name]; ok || len(*of) < mostNames {
		(*of)[name]++
	}
}

const mostNames = 64

// Trips is how many round trips the first request waits for TLS's part of a handshake, in QUIC's
// for all of it (RFC 8446, 2; RFC 5246, 7.3; RFC 9001, 4).
func Trips(t trace.TLS) int {
	n := 1
	if t.Version != "1.3" && !t.Resumed {
		n = 2
	}
	if t.Retried {
		n++
	}
	if t.EarlyData.Or(false) {
		n--
	}
	return n
}
