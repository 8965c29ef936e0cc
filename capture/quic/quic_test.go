package quic_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	quicgo "github.com/quic-go/quic-go"

	"linger"
	"linger/capture/quic"
	"linger/capture/secrets"
	"linger/capture/talk"
	ctls "linger/capture/tls"
	"linger/trace"
)

func TestHandshakeAndStreams(t *testing.T) {
	for _, version := range []quicgo.Version{quicgo.Version1, quicgo.Version2} {
		t.Run(version.String(), func(t *testing.T) {
			c := &quicgo.Config{Versions: []quicgo.Version{version}, MaxIdleTimeout: 7 * time.Second, MaxIncomingStreams: 30}
			w := serve(t, c, nil)
			q, _ := w.dial(t, 5000, 0, &quicgo.Config{Versions: []quicgo.Version{version}, MaxIdleTimeout: 9 * time.Second}, false)
			ask(t, q, 10)
			ask(t, q, 30_000)
			q.CloseWithError(7, "enough")
			log := w.settle()

			conn, h := read(t, log, w.keys.log())
			h.echoes(t, map[int64]int{0: 10, 4: 30_000})
			f := conn.Facts()
			tls := conn.Hello().Or(trace.TLS{})
			if tls.ServerName != "www.example" || tls.ALPN != "echo" || tls.Version != "1.3" || tls.Keys != trace.AllKeys || len(tls.Names) != 1 ||
				tls.Up < 300 || tls.Down < 500 || tls.Certificates < 200 || tls.Resumed || tls.Tickets != linger.Known[int64](1) {
				t.Errorf("TLS: %+v", tls)
			}
			want := quic.Close{By: talk.Client, Application: true, Code: 7, Reason: "enough"}
			if len(h.closes) != 1 || h.closes[0] != want {
				t.Errorf("closes: %+v, want %+v", h.closes, want)
			}
			if f.Idle != linger.Known(7*time.Second) || f.ServerIdle != f.Idle || f.Streams != linger.Known[int64](30) {
				t.Errorf("limits: %v, %v, %v", f.Idle, f.ServerIdle, f.Streams)
			}
			name := map[quicgo.Version]string{quicgo.Version1: "1", quicgo.Version2: "2"}[version]
			if got := conn.Transport().Or(trace.QUIC{}); got.Version != name || got.Retry {
				t.Errorf("transport: %+v", got)
			}
			if !f.Began || f.Secured.IsZero() || f.Missed != 0 || f.Missing != 0 || !conn.Opens() {
				t.Errorf("facts: %+v", f)
			}
			for s := range h.packets {
				if h.packets[s] != h.opened[s] {
					t.Errorf("side %d: %d of %d packets opened", s, h.opened[s], h.packets[s])
				}
			}

			blind, b := read(t, log, nil)
			bf := blind.Facts()
			bt := blind.Hello().Or(trace.TLS{})
			if bt.ServerName != "www.example" || len(bt.Offered) != 1 || bt.ALPN != "" || bt.Cipher == "" || bt.Keys != "" || bt.Up != 0 {
				t.Errorf("without keys, TLS: %+v", bt)
			}
			if bf.Secured != f.Secured {
				t.Errorf("without keys, secured at %v, with them %v", bf.Secured, f.Secured)
			}
			if len(b.streams[0])+len(b.streams[1])+len(b.closes) != 0 || blind.Opens() {
				t.Errorf("without keys: %+v", b)
			}
		})
	}
}

// TestEarlyData resumes a connection with 0-RTT, which the server takes, or does not.
func TestEarlyData(t *testing.T) {
	for _, takes := range []bool{true, false} {
		t.Run(fmt.Sprint(takes), func(t *testing.T) {
			// On a busy machine the server may have said no before the client has sent anything.
			for range 10 {
				if sendsEarly(t, takes) {
					return
				}
			}
			t.Error("the client never came to send early data")
		})
	}
}

// sendsEarly does it once. It reports false where the client came too late to send any.
func sendsEarly(t *testing.T, takes bool) bool {
	t.Helper()
	var refuses atomic.Bool
	w := serve(t, &quicgo.Config{Allow0RTT: true, GetConfigForClient: func(*quicgo.ClientInfo) (*quicgo.Config, error) {
		return &quicgo.Config{Allow0RTT: !refuses.Load()}, nil
	}}, nil)
	q, _ := w.dial(t, 5000, 4, nil, false)
	ask(t, q, 10)
	time.Sleep(20 * time.Millisecond)
	q.CloseWithError(0, "")
	w.settle()
	refuses.Store(!takes)
	w.mu.Lock()
	before := len(w.log)
	w.mu.Unlock()
	q, _ = w.dial(t, 5001, 4, nil, true)
	switch s, err := q.OpenStream(); {
	case err == quicgo.Err0RTTRejected:
		return false
	case err != nil:
		t.Fatal(err)
	default:
		s.Write(content(5000))
		s.Close()
	}
	<-q.HandshakeComplete()
	if !takes {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := q.NextConnection(ctx); err != nil {
			t.Fatal(err)
		}
		ask(t, q, 5000)
	}
	log := slices.DeleteFunc(w.settle()[before:], func(d datagram) bool { return d.from != "192.0.2.2:5001" && d.to != "192.0.2.2:5001" })
	conn, h := readRotated(t, log, w.keys.log())
	// Go's stack does not log the secret of early data: what was in it is not known.
	if takes {
		if down := h.streams[talk.Server][0]; !bytes.Equal(down, append(content(5000), content(5000)...)) {
			t.Errorf("%d bytes down", len(down))
		}
	} else {
		h.echoes(t, map[int64]int{0: 5000})
	}
	if f := conn.Facts(); f.Missed != 0 {
		t.Errorf("%d packets are taken for missed", f.Missed)
	}
	tls := conn.Hello().Or(trace.TLS{})
	if tls.EarlyData != linger.Known(takes) || !tls.Resumed || tls.Asked != linger.Known(true) || tls.Certificates != 0 {
		t.Errorf("TLS: %+v", tls)
	}
	if conn.Facts().Early.IsZero() {
		t.Error("0-RTT was not seen")
	}
	blind, _ := read(t, log, nil)
	if blind.Facts().Early.IsZero() {
		t.Error("without keys 0-RTT was not seen")
	}
	return true
}

func TestRetry(t *testing.T) {
	w := serve(t, nil, func(tr *quicgo.Transport, _ *tls.Config) {
		tr.VerifySourceAddress = func(net.Addr) bool { return true }
	})
	// A busy machine has a side send again for want of an answer: that happens to none of several.
	const several = 10
	for i := range several {
		before := len(w.settle())
		q, _ := w.dial(t, 5000+i, 4, nil, false)
		ask(t, q, 1000)
		client := fmt.Sprintf("192.0.2.2:%d", 5000+i)
		log := slices.DeleteFunc(w.settle()[before:], func(d datagram) bool { return d.from != client && d.to != client })
		again := false
		for name, log := range map[string][]datagram{"whole": log, "the Retry was not captured": slices.Delete(slices.Clone(log), 1, 2)} {
			conn, h := read(t, log, w.keys.log())
			h.echoes(t, map[int64]int{0: 1000})
			if got := conn.Transport().Or(trace.QUIC{}); !got.Retry {
				t.Errorf("%s: %+v", name, got)
			}
			again = again || conn.Facts().Resent != [2]int64{}
		}
		if !again {
			return
		}
	}
	t.Errorf("on each of %d connections packets were sent again", several)
}

// TestKeyUpdates has so many packets that the stack updates the keys.
func TestKeyUpdates(t *testing.T) {
	w := serve(t, nil, nil)
	q, _ := w.dial(t, 5000, 4, nil, false)
	ask(t, q, 300_000)
	log := w.settle()
	conn, h := read(t, log, w.keys.log())
	h.echoes(t, map[int64]int{0: 300_000})
	if n := conn.Facts().Updates; n < 2 {
		t.Errorf("%d updates of keys, want one by each side", n)
	}
	if tls := conn.Hello().Or(trace.TLS{}); tls.Keys != trace.AllKeys {
		t.Errorf("keys: %v", tls.Keys)
	}
}

// TestLossAndDisorder loses packets on their way, and in the capture, and takes them in out of
// order.
func TestLossAndDisorder(t *testing.T) {
	w := serve(t, nil, nil)
	w.lose = func(n int, from string) bool { return n > 12 && n%17 == 0 }
	q, _ := w.dial(t, 5000, 4, nil, false)
	ask(t, q, 100_000)
	log := w.settle()
	conn, h := read(t, log, w.keys.log())
	h.echoes(t, map[int64]int{0: 100_000})
	if f := conn.Facts(); f.Resent[talk.Client]+f.Resent[talk.Server] == 0 || f.Missed != 0 {
		t.Errorf("%+v", f)
	}

	swapped := slices.Clone(log)
	for i := 20; i+3 < len(swapped); i += 5 {
		swapped[i], swapped[i+2] = swapped[i+2], swapped[i]
	}
	_, h = read(t, swapped, w.keys.log())
	h.echoes(t, map[int64]int{0: 100_000})

	var arrived []datagram
	for n, d := range log {
		if !w.lose(n, d.from) {
			arrived = append(arrived, d)
		}
	}
	conn, h = read(t, arrived, w.keys.log())
	h.echoes(t, map[int64]int{0: 100_000})
	if f := conn.Facts(); f.Missed != 0 {
		t.Errorf("captured where they arrive: %d packets are taken for missed", f.Missed)
	}

	var captured []datagram
	for n, d := range arrived {
		if n < 20 || n%13 != 0 {
			captured = append(captured, d)
		}
	}
	conn, h = read(t, captured, w.keys.log())
	if f := conn.Facts(); f.Missed == 0 || f.Missing == 0 || f.Missing != h.gaps {
		t.Errorf("captured in part: %+v, gaps of %d bytes", f, h.gaps)
	}
	// Of a stream whose last datagram is among those that were not captured the end is not known.
	near := func(n, want int) bool { return want-1500 <= n && n <= want }
	if up, down := len(h.streams[talk.Client][0]), len(h.streams[talk.Server][0]); !near(up, 100_000) || !near(down, 200_000) {
		t.Errorf("captured in part: %d bytes up, %d down, with the gaps", up, down)
	}
}

func TestWrongKeys(t *testing.T) {
	w := serve(t, nil, nil)
	q, _ := w.dial(t, 5000, 4, nil, false)
	ask(t, q, 1000)
	q.CloseWithError(0, "")
	log := w.settle()
	lines := bytes.Split(w.keys.b.Bytes(), []byte("\n"))
	other := &secrets.Log{}
	for _, l := range lines {
		if len(l) > 4 {
			l = bytes.Clone(l)
			if l[len(l)-1]++; l[len(l)-1] > '9' {
				l[len(l)-1] = '0'
			}
			other.Add(append(l, '\n'))
		}
	}
	conn, h := readRotated(t, log, other)
	if tls := conn.Hello().Or(trace.TLS{}); tls.Keys != trace.WrongKeys || len(h.streams[0]) > 0 {
		t.Errorf("keys %q, streams %v", tls.Keys, h.streams[0])
	}
	conn, _ = readRotated(t, log, func() *secrets.Log {
		l := &secrets.Log{}
		l.Add([]byte("CLIENT_RANDOM " + strings.Repeat("00", 32) + " " + strings.Repeat("00", 48) + "\n"))
		return l
	}())
	if tls := conn.Hello().Or(trace.TLS{}); tls.Keys != trace.NoKeys {
		t.Errorf("keys %q, want none of this connection", tls.Keys)
	}
}

func FuzzConn(f *testing.F) {
	w := serve(f, nil, nil)
	q, _ := w.dial(f, 5000, 4, nil, false)
	ask(f, q, 3000)
	log := w.settle()
	keys := w.keys.log()
	for i := range log {
		f.Add(log[i].b, uint8(i), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint8, keyed bool) {
		k := keys
		if !keyed {
			k = nil
		}
		c := &quic.Conn{Keys: k, To: newHeard(t), Scratch: &quic.Scratch{}, Shared: &ctls.Shared{}}
		for i, d := range log {
			from := talk.Client
			if d.from == "192.0.2.1:443" {
				from = talk.Server
			}
			if i == int(at)%len(log) {
				c.Datagram(from, b, len(b), talk.Mark{})
				c.Datagram(from.Other(), b, len(b)+5, talk.Mark{})
			}
			c.Datagram(from, d.b, len(d.b), talk.Mark{})
		}
		c.Close(talk.Mark{})
		c.Hello()
	})
}

func BenchmarkDecrypt(b *testing.B) {
	w := serve(b, nil, nil)
	q, _ := w.dial(b, 5000, 4, nil, false)
	ask(b, q, 2_000_000)
	log := w.settle()
	keys := w.keys.log()
	size := 0
	for _, d := range log {
		size += len(d.b)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	scratch := &quic.Scratch{}
	for b.Loop() {
		c := &quic.Conn{Keys: keys, To: silent{}, Scratch: scratch, Shared: &ctls.Shared{}}
		for _, d := range log {
			from := talk.Client
			if d.from == "192.0.2.1:443" {
				from = talk.Server
			}
			c.Datagram(from, d.b, len(d.b), talk.Mark{})
		}
	}
}

type silent struct{}

func (silent) Stream(int64, talk.Side, []byte, bool, talk.Mark)       {}
func (silent) Gap(int64, talk.Side, int64, talk.Mark)                 {}
func (silent) Reset(int64, talk.Side, bool, uint64, talk.Mark)        {}
func (silent) Window(int64, talk.Side, bool, talk.Mark)               {}
func (silent) Packet(from talk.Side, size int64, o bool, m talk.Mark) {}
func (silent) Closed(quic.Close, talk.Mark)                           {}

// TestLateHello captures a part of the client's hello behind the server's answer to it: keys are
// found once it is whole.
func TestLateHello(t *testing.T) {
	w := serve(t, nil, nil)
	q, _ := w.dial(t, 5000, 4, nil, false)
	ask(t, q, 100_000)
	log := w.settle()
	parts := 0 // the client's first datagrams, before the server has said anything of size
	for i, d := range log {
		if d.from == "192.0.2.1:443" && len(d.b) >= 1200 {
			late := append([]datagram{d}, log[:i]...)
			log = append(late, log[i+1:]...)
			break
		}
		parts++
	}
	// The first stays first: without it, nothing opens.
	log[0], log[1] = log[1], log[0]
	_, h := readRotated(t, log, w.keys.log())
	if n := len(h.streams[talk.Server][0]); parts < 2 || n != 200_000 {
		t.Errorf("%d datagrams of the client's, %d bytes down, want 200000", parts, n)
	}
}
