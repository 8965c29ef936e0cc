// Package secrets holds the secrets of TLS connections, as programs write them into the file
// that SSLKEYLOGFILE names (draft-ietf-tls-keylogfile). They are in memory only: nothing here
// prints them, and no error holds any.
package secrets

import (
	"bytes"
	"encoding/hex"
	"sync"
	"sync/atomic"
)

// A Random is the random of a client's hello, by which secrets are found.
type Random [32]byte

// Keys are the secrets of one connection; each is nil where it is not known. They are not
// changed once they are known.
type Keys struct {
	Master                           []byte // up to TLS 1.2: 48 bytes (RFC 5246, 8.1)
	ClientEarly                      []byte // of 0-RTT (RFC 8446, 7.1), as those that follow
	ClientHandshake, ServerHandshake []byte
	ClientTraffic, ServerTraffic     []byte // number 0; key updates follow from it
}

// Bounds on what is held.
const (
	// MaxConnections is of how many connections secrets are kept, some 600 bytes each: more
	// than a reader tracks. The oldest go.
	MaxConnections = 1 << 17
	// maxLine is the longest line: the longest label, a random and a secret of 64 bytes, with
	// room.
	maxLine = 512
)

// A Log holds secrets by the connections that they are of. It is safe for concurrent use. The
// zero value is an empty one.
type Log struct {
	// More, if not nil, is asked for what has been written since, when a connection has no
	// secrets: it may call Add. Set it before the first use.
	More func(*Log)

	version atomic.Int64
	mu      sync.Mutex
	of      map[Random]*Keys
	order   []Random // as they came; a ring once there are MaxConnections
	oldest  int
	counts  Counts
}

// A Feed takes one key log in, as it is written: several may grow at once.
type Feed struct {
	log  *Log
	line []byte // that has not ended
	long bool   // it is passed over
}

// Feed returns one that adds to the log.
func (l *Log) Feed() *Feed { return &Feed{log: l} }

// Counts are what a log has been given.
type Counts struct {
	Connections int   // of which there are secrets now
	Secrets     int64 // lines that hold one that is of use
	Other       int64 // lines of other kinds: exporters, RSA, ECH
	Malformed   int64 // lines that are none, comments apart
	Forgotten   int64 // connections that went for want of room
}

// Counts returns what has been added so far, without the line that has not ended.
func (l *Log) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.Connections = len(l.of)
	return c
}

// Add takes in lines of a key log. Those that are none are passed over and counted.
func (l *Log) Add(b []byte) {
	f := l.Feed()
	f.Write(b)
	f.End()
}

// Write takes in the next bytes, in pieces of any size. A last line without its end waits for it.
// There is no error.
func (f *Feed) Write(b []byte) (int, error) {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	for rest := b; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			f.hold(rest)
			break
		}
		piece := rest[:n]
		rest = rest[n+1:]
		if len(f.line) == 0 && !f.long {
			f.log.take(piece)
			continue
		}
		f.hold(piece)
		f.end()
	}
	return len(b), nil
}

// Peek takes in the last line as it stands, if it is whole but for its end: files that were put
// together by hand lack that. What is written behind it still belongs to it.
func (f *Feed) Peek() {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	if counts := &f.log.counts; !f.long && len(f.line) > 0 {
		other, malformed := counts.Other, counts.Malformed
		f.log.take(f.line)
		counts.Other, counts.Malformed = other, malformed
	}
}

// End says that nothing more is added to the last line.
func (f *Feed) End() {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	f.end()
}

func (f *Feed) end() {
	if f.long {
		f.log.counts.Malformed++
	} else if len(f.line) > 0 {
		f.log.take(f.line)
	}
	f.line, f.long = f.line[:0], false
}

func (f *Feed) hold(b []byte) {
	if len(f.line)+len(b) > maxLine {
		f.line, f.long = f.line[:0], true
	}
	if !f.long {
		f.line = append(f.line, b...)
	}
}

// take takes in a line without its end.
func (l *Log) take(line []byte) {
	if len(line) > maxLine {
		l.counts.Malformed++
		return
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' {
		return
	}
	var fields [3][]byte
	n := 0
	for rest := line; len(rest) > 0; n++ {
		end := bytes.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		if n == len(fields) {
			l.counts.Malformed++
			return
		}
		fields[n] = rest[:end]
		rest = bytes.TrimLeft(rest[end:], " \t")
	}
	if n != len(fields) || !isLabel(fields[0]) {
		l.counts.Malformed++
		return
	}
	at := place(fields[0])
	if at == nil {
		l.counts.Other++
		return
	}
	var of Random
	if len(fields[1]) != 2*len(of) || len(fields[2]) < 2 || len(fields[2]) > 2*64 {
		l.counts.Malformed++
		return
	}
	secret := make([]byte, len(fields[2])/2)
	_, err := hex.Decode(of[:], fields[1])
	_, err2 := hex.Decode(secret, fields[2])
	if err != nil || err2 != nil || !fits(fields[0], len(secret)) {
		l.counts.Malformed++
		return
	}
	l.put(of, at, secret)
}

// isLabel tells what may be one: "ASCII [...] uppercase letters, digits, and underscore".
func isLabel(b []byte) bool {
	for _, c := range b {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(b) > 0
}

// fits tells whether a secret may be so long: the master secret has 48 bytes, those of TLS 1.3
// are as long as the digest of their cipher suite's hash.
func fits(label []byte, n int) bool {
	if bytes.EqualFold(label, []byte("CLIENT_RANDOM")) {
		return n == 48
	}
	return n == 32 || n == 48
}

// place returns where the secret of a label belongs, or nil.
func place(label []byte) func(*Keys) *[]byte {
	switch string(bytes.ToUpper(label)) {
	case "CLIENT_RANDOM":
		return func(k *Keys) *[]byte { return &k.Master }
	case "CLIENT_EARLY_TRAFFIC_SECRET":
		return func(k *Keys) *[]byte { return &k.ClientEarly }
	case "CLIENT_HANDSHAKE_TRAFFIC_SECRET":
		return func(k *Keys) *[]byte { return &k.ClientHandshake }
	case "SERVER_HANDSHAKE_TRAFFIC_SECRET":
		return func(k *Keys) *[]byte { return &k.ServerHandshake }
	case "CLIENT_TRAFFIC_SECRET_0":
		return func(k *Keys) *[]byte { return &k.ClientTraffic }
	case "SERVER_TRAFFIC_SECRET_0":
		return func(k *Keys) *[]byte { return &k.ServerTraffic }
	}
	return nil
}

// put keeps a secret. A later one of the same kind replaces an earlier one.
func (l *Log) put(of Random, at func(*Keys) *[]byte, secret []byte) {
	l.counts.Secrets++
	old := l.of[of]
	if old != nil && bytes.Equal(*at(old), secret) {
		return // said twice: in a block and in a file
	}
	one := &Keys{}
	if old != nil {
		*one = *old // who has the old one may be reading it
	} else {
		l.remember(of)
	}
	*at(one) = secret
	l.of[of] = one
	l.version.Add(1)
}

func (l *Log) remember(of Random) {
	if l.of == nil {
		l.of = map[Random]*Keys{}
	}
	if len(l.order) < MaxConnections {
		l.order = append(l.order, of)
		return
	}
	delete(l.of, l.order[l.oldest])
	l.counts.Forgotten++
	l.order[l.oldest] = of
	l.oldest = (l.oldest + 1) % MaxConnections
}

// Find returns what is known of a connection, or nil. It may be that more becomes known.
func (l *Log) Find(client Random) *Keys {
	if k := l.find(client); k != nil || l.More == nil {
		return k
	}
	l.More(l)
	return l.find(client)
}

// Renew returns what is known of a connection of which had was known, and not all that is needed:
// had if nothing has been added.
func (l *Log) Renew(client Random, had *Keys) *Keys {
	k := l.find(client)
	if k == had && l.More != nil {
		l.More(l)
		k = l.find(client)
	}
	if k == nil {
		return had // they went for want of room
	}
	return k
}

func (l *Log) find(client Random) *Keys {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[client]
}

// Version grows with what has been added: who found nothing need not ask again before.
func (l *Log) Version() int { return int(l.version.Load()) }

// Put adds what is known of a connection otherwise than by lines. It keeps k, which is not changed.
func (l *Log) Put(client Random, k *Keys) {
	if k == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of[client] == nil {
		l.remember(client)
	}
	l.of[client] = k
	l.version.Add(1)
}
