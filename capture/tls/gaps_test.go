package tls

import (
	"bytes"
	"crypto/tls"
	"math/rand/v2"
	"slices"
	"testing"

	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/trace"
)

// filler is a Handler that keeps what it is told in its place: what is missing is zeros.
type filler struct{ heard }

func (f *filler) Gap(from talk.Side, n int64, m talk.Mark) {
	f.heard.Gap(from, n, m)
	f.plain[from] = append(f.plain[from], make([]byte, n)...)
}

// TestMissingBytes leaves each part of what the server said out, one after the other. What is read
// of the rest is where it was said.
func TestMissingBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		config *tls.Config
	}{
		{"TLS 1.3", &tls.Config{}},
		{"AES-128-GCM in 1.2", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}},
		{"ChaCha20-Poly1305 in 1.2", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}}},
	} {
		tape, keys, want := converse(t, c.config, c.config)
		total := 0
		for _, p := range tape.pieces {
			if p.from == talk.Server {
				total += len(p.b)
			}
		}
		for _, packets := range []int{1, 3, 20, 60} {
			for first := 2; first < total/1448; first += 7 {
				h := &filler{}
				conn := &Conn{Shared: &Shared{}, Keys: keys, To: h}
				from, to := first*1448, (first+packets)*1448
				tape.feed(conn, 1448, func(side talk.Side, at, n int) bool {
					return side == talk.Server && at+n > from && at < to
				})
				conn.Done()
				if conn.Shared.held != 0 {
					t.Errorf("%d bytes are still held", conn.Shared.held)
				}
				if !bytes.Equal(h.plain[talk.Client], want[talk.Client]) {
					t.Fatalf("%s: the client's are %d bytes of %d", c.name, len(h.plain[0]), len(want[0]))
				}
				got := h.plain[talk.Server]
				if len(got) > len(want[1]) {
					t.Fatalf("%s, without %d packets from %d: %d bytes of %d", c.name, packets, first, len(got), len(want[1]))
				}
				same := 0
				for i, b := range got {
					if b == want[1][i] {
						same++
					} else if b != 0 {
						t.Fatalf("%s, without %d packets from %d: byte %d is another", c.name, packets, first, i)
					}
				}
				// Of records at either end up to 16 kB are lost beside.
				if least := len(want[1]) - packets*1448 - 2*MaxContent; same < least && (from > 3000 && to < total) {
					t.Errorf("%s, without %d packets from %d: %d bytes of %d", c.name, packets, first, same, len(want[1]))
				}
				if keys := conn.Hello().Or(trace.TLS{}).Keys; keys != trace.SomeKeys && to < total {
					t.Errorf("%s, without %d packets from %d: keys %q", c.name, packets, first, keys)
				}
			}
		}
	}
}

// TestKeysThatComeLate adds the keys when so many pieces have passed: what follows is read.
func TestKeysThatComeLate(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{MaxVersion: version}
		tape, keys, want := converse(t, config, config)
		for after := 1; after < len(tape.pieces)-1; after += 3 {
			late := &secrets.Log{}
			h := &heard{}
			c := &Conn{Shared: &Shared{}, Keys: late, To: h}
			first := &tapeOf{tape.pieces[:after]}
			first.feed(c)
			copyKeys(late, keys, c)
			(&tapeOf{tape.pieces[after:]}).feed(c)
			if got := h.plain[talk.Server]; !bytes.HasSuffix(want[1], got) || len(got) == 0 && after < len(tape.pieces)/2 {
				t.Errorf("%s, after %d of %d pieces: %d bytes of %d", versionName(int(version)), after, len(tape.pieces), len(got), len(want[1]))
			}
		}
	}
}

// A program that is at work writes its secrets one after another: those of the data may not be
// there yet when the handshake's are found.
func TestKeysThatComeOneAfterAnother(t *testing.T) {
	config := &tls.Config{MaxVersion: tls.VersionTLS13}
	tape, keys, want := converse(t, config, config)
	client := tape.client()
	all := keys.Find(client)
	some := &secrets.Log{}
	some.Put(client, &secrets.Keys{ClientHandshake: all.ClientHandshake, ServerHandshake: all.ServerHandshake})
	asked := 0
	some.More = func(l *secrets.Log) {
		asked++
		l.Put(client, all)
	}
	_, h := tape.read(some, 1000)
	if !bytes.Equal(h.plain[talk.Client], want[0]) || !bytes.Equal(h.plain[talk.Server], want[1]) || asked != 1 {
		t.Errorf("%d and %d bytes of %d and %d, asked %d times", len(h.plain[0]), len(h.plain[1]), len(want[0]), len(want[1]), asked)
	}
}

// client is the random of the client's hello.
func (t *tape) client() secrets.Random {
	c, _ := t.read(nil, 1000)
	return c.Handshake().Client
}

// A tapeOf is some pieces of a tape.
type tapeOf struct{ pieces []piece }

func (t *tapeOf) feed(c *Conn) {
	for _, p := range t.pieces {
		c.Data(p.from, p.b, talk.Mark{})
	}
}

// copyKeys copies the keys of a connection from one log to another.
func copyKeys(to, from *secrets.Log, c *Conn) {
	to.Put(c.Handshake().Client, from.Find(c.Handshake().Client))
}

// TestManyLosses leaves packets out at random, on both sides. Nothing that is read is wrong.
func TestManyLosses(t *testing.T) {
	config := &tls.Config{}
	tape, keys, want := converse(t, config, config)
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 7))
		h := &filler{}
		c := &Conn{Shared: &Shared{}, Keys: keys, To: h}
		tape.feed(c, 1448, func(talk.Side, int, int) bool { return random.IntN(100) < 3 })
		c.Done()
		for side := range want {
			got := h.plain[side]
			if len(got) > len(want[side]) {
				t.Fatalf("seed %d: %d bytes of %d", seed, len(got), len(want[side]))
			}
			for i, b := range got {
				if b != 0 && b != want[side][i] {
					t.Fatalf("seed %d: byte %d is another", seed, i)
				}
			}
		}
	}
}

func TestRetriedAndResumed(t *testing.T) {
	// The client offers a share of one group, and the server takes another one.
	client := &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP384}, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	server := &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}
	server.SetSessionTicketKeys([][32]byte{{1}})
	for round := range 2 {
		tape, keys, want := converse(t, client, server)
		c, h := tape.read(keys, 500)
		hello := c.Hello().Or(trace.TLS{})
		if !hello.Retried && round == 0 || hello.Resumed != (round == 1) || hello.Asked != linger.Known(round == 1) || hello.Tickets.Or(0) != 1 || hello.Lifetime.IsZero() || hello.Keys != trace.AllKeys || (hello.Certificates == 0) != (round == 1) {
			t.Errorf("round %d: %+v", round, hello)
		}
		if !bytes.Equal(h.plain[1], want[1]) {
			t.Errorf("round %d: %d bytes of %d", round, len(h.plain[1]), len(want[1]))
		}
		bare, _ := tape.read(nil, 500)
		if hello := bare.Hello().Or(trace.TLS{}); hello.Resumed != (round == 1) || hello.Asked != linger.Known(round == 1) {
			t.Errorf("round %d, without keys: %+v", round, hello)
		}
	}
	for _, tickets := range []bool{true, false} {
		client := &tls.Config{MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
		server := &tls.Config{SessionTicketsDisabled: !tickets}
		server.SetSessionTicketKeys([][32]byte{{1}})
		for round := range 2 {
			tape, keys, _ := converse(t, client, server)
			for _, keys := range []*secrets.Log{nil, keys} {
				c, _ := tape.read(keys, 500)
				resumed := tickets && round == 1
				asked := linger.Opt[bool]{} // by the ID of a session, or not
				if resumed {
					asked = linger.Known(true)
				}
				sent := int64(0)
				if tickets { // with a ticket the client gets another one
					sent = 1
				}
				if hello := c.Hello().Or(trace.TLS{}); hello.Resumed != resumed || hello.Asked != asked || hello.Tickets != linger.Known(sent) || c.Secured().IsZero() {
					t.Errorf("1.2, tickets %v, round %d: %+v", tickets, round, hello)
				}
			}
		}
	}
}

// FuzzConn hands bytes of both sides over, in pieces, with bytes missing, with keys and without.
// Nothing panics, skips are not negative, and what is held is bounded and given back.
func FuzzConn(f *testing.F) {
	for _, config := range []*tls.Config{{}, {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}} {
		tape, keys, _ := converse(f, config, config)
		var sides [2][]byte
		for _, p := range tape.pieces {
			sides[p.from] = append(sides[p.from], p.b...)
		}
		c, _ := tape.read(nil, 1<<20)
		k := keys.Find(c.Handshake().Client)
		secret := slices.Concat(k.Master, k.ServerTraffic)
		f.Add(sides[0], sides[1][:min(len(sides[1]), 6000)], secret, uint8(100), uint8(0))
		f.Add(sides[0], sides[1][:min(len(sides[1]), 6000)], secret, uint8(7), uint8(9))
	}
	f.Add([]byte("\x16\x03\x01\x00\x00\x15\x03\x03\x00\x02\x01\x00"), []byte("\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x00"), []byte{}, uint8(1), uint8(3))
	f.Fuzz(func(t *testing.T, up, down, secret []byte, size, lose uint8) {
		for _, with := range []bool{false, true} {
			h := &heard{}
			c := &Conn{Shared: &Shared{}, To: h}
			if with {
				c.Keys = &secrets.Log{}
				if len(up) > 43 {
					fitted := append(slices.Clone(secret), make([]byte, 48)...)
					c.Keys.Put(secrets.Random(up[11:43]), &secrets.Keys{Master: fitted[:48], ClientEarly: fitted[:32], ClientHandshake: fitted[:32], ServerHandshake: fitted[:32], ClientTraffic: fitted[:32], ServerTraffic: fitted[:32]})
				}
			}
			rest := [2][]byte{up, down}
			var skip [2]int64
			for n := 0; len(rest[0])+len(rest[1]) > 0; n++ {
				side := talk.Side(n & 1)
				b := rest[side][:min(int(size)+1, len(rest[side]))]
				rest[side] = rest[side][len(b):]
				passed := min(int64(len(b)), skip[side])
				skip[side] -= passed
				if skip[side] > 0 || len(b) == 0 {
					continue
				}
				b = b[passed:]
				if lose > 0 && n%int(lose) == int(lose)-1 && len(b) > 0 {
					c.Gap(side, int64(len(b)), talk.Mark{})
					continue
				}
				if skip[side] = c.Data(side, b, talk.Mark{}); skip[side] < 0 {
					t.Fatalf("skips %d", skip[side])
				}
				if c.Shared.held > 2*bufferSize+maxEarly {
					t.Fatalf("%d bytes are held", c.Shared.held)
				}
			}
			c.Hello()
			c.Secured()
			c.LastByte()
			c.Done()
			if c.Shared.held != 0 {
				t.Fatalf("%d bytes are still held", c.Shared.held)
			}
		}
	})
}

// FuzzHandshake reads any messages.
func FuzzHandshake(f *testing.F) {
	config := &tls.Config{MaxVersion: tls.VersionTLS12}
	tape, _, _ := converse(f, config, config)
	for _, p := range tape.pieces[:min(len(tape.pieces), 4)] {
		f.Add(p.b[min(5, len(p.b)):], uint8(9))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		for _, from := range []talk.Side{talk.Client, talk.Server} {
			h := Handshake{Shared: &Shared{}}
			var whole, pieces Messages
			var a, c [][]byte
			keep := func(to *[][]byte) func(byte, []byte) bool {
				return func(kind byte, body []byte) bool {
					*to = append(*to, append([]byte{kind}, body...))
					return true
				}
			}
			whole.Add(b, keep(&a))
			for rest := b; len(rest) > 0; {
				n := min(int(size)+1, len(rest))
				pieces.Add(rest[:n], keep(&c))
				rest = rest[n:]
			}
			if len(a) != len(c) {
				t.Fatalf("%d messages in whole, %d in pieces", len(a), len(c))
			}
			for i := range a {
				if !bytes.Equal(a[i], c[i]) {
					t.Fatalf("message %d is another", i)
				}
				h.Message(from, a[i][0], a[i][1:])
			}
		}
	})
}
