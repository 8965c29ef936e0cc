package quic_test

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	quicgo "github.com/quic-go/quic-go"

	"linger/capture/quic"
	"linger/capture/secrets"
	"linger/capture/talk"
	ctls "linger/capture/tls"
)

// join puts datagrams of one size that follow each other on one path into one, and one that is
// shorter behind them, as a kernel does. It returns how many there are in each.
func join(log []datagram, most int) (out []datagram, of []int) {
	for _, d := range log {
		if n := len(out) - 1; n >= 0 {
			last := &out[n]
			size := len(last.b) / of[n]
			if last.from == d.from && last.to == d.to && of[n] < most && len(last.b)%of[n] == 0 && len(last.b) == size*of[n] && len(d.b) <= size && !strings.HasSuffix(last.to, "!") {
				last.b = append(last.b[:len(last.b):len(last.b)], d.b...)
				of[n]++
				if len(d.b) < size {
					last.to += "!" // no other follows
				}
				continue
			}
		}
		out, of = append(out, d), append(of, 1)
	}
	return out, of
}

// TestJoined joins what a real stack sends, and reads the same of it as of single datagrams.
func TestJoined(t *testing.T) {
	for _, ids := range []int{0, 4, 8} {
		for _, keyed := range []bool{true, false} {
			t.Run(fmt.Sprintf("IDs of %d bytes, keys %v", ids, keyed), func(t *testing.T) {
				w := serve(t, nil, func(tr *quicgo.Transport, _ *tls.Config) { tr.ConnectionIDLength = max(ids, 4) })
				q, _ := w.dial(t, 5000, ids, nil, false)
				ask(t, q, 300_000)
				ask(t, q, 10)
				ask(t, q, 70_000)
				q.CloseWithError(0, "")
				log := w.settle()
				keys := w.keys.log()
				if !keyed {
					keys = nil
				}
				joined, of := join(log, 40)
				if len(joined) > len(log)*3/4 {
					t.Fatalf("%d datagrams became %d", len(log), len(joined))
				}
				h := newHeard(t)
				c := &quic.Conn{Keys: keys, To: h, Scratch: &quic.Scratch{}, Shared: &ctls.Shared{}}
				wrong, unsure := 0, 0
				for i, d := range joined {
					from := talk.Client
					if d.from == "192.0.2.1:443" {
						from = talk.Server
					}
					each, sure := c.Datagram(from, d.b, len(d.b), talk.Mark{At: d.at, Frame: int64(i + 1)})
					n := 1
					if each > 0 {
						n = (len(d.b) + each - 1) / each
					}
					switch {
					case !sure:
						unsure++
					case n != of[i]:
						wrong++
						// One with a long header may be coalesced with what is behind it.
						if d.b[0]&0x80 == 0 && (len(d.b) > 1472 || keyed) {
							t.Errorf("payload %d of %d bytes, %d datagrams: %d of %d bytes", i, len(d.b), of[i], n, each)
						}
					}
				}
				c.Close(talk.Mark{At: 1 << 40})
				t.Logf("%d datagrams in %d payloads; %d are not known, %d of less than a path's are wrong", len(log), len(joined), unsure, wrong)
				if keyed {
					h.echoes(t, map[int64]int{0: 300_000, 4: 10, 8: 70_000})
					if unsure > 0 || h.packets != h.opened {
						t.Errorf("%d are not known; %d packets, %d opened", unsure, h.packets, h.opened)
					}
				} else if unsure > len(joined)/4 {
					t.Errorf("%d of %d are not known", unsure, len(joined))
				}
			})
		}
	}
}

// TestJoinedCut reads payloads that were cut: no more is made of them than there is.
func TestJoinedCut(t *testing.T) {
	w := serve(t, nil, nil)
	q, _ := w.dial(t, 5000, 0, nil, false)
	ask(t, q, 300_000)
	q.CloseWithError(0, "")
	joined, _ := join(w.settle(), 40)
	for _, keep := range []int{1, 54, 1000, 1300, 5000} {
		for _, keys := range []*secrets.Log{w.keys.log(), nil} {
			h := newHeard(t)
			c := &quic.Conn{Keys: keys, To: h, Scratch: &quic.Scratch{}, Shared: &ctls.Shared{}}
			total := int64(0)
			for i, d := range joined {
				from := talk.Client
				if d.from == "192.0.2.1:443" {
					from = talk.Server
				}
				total += int64(len(d.b))
				c.Datagram(from, d.b[:min(keep, len(d.b))], len(d.b), talk.Mark{At: d.at, Frame: int64(i + 1)})
			}
			c.Close(talk.Mark{At: 1 << 40})
			if sum := h.bytes[0] + h.bytes[1]; sum != total {
				t.Errorf("cut to %d bytes: packets of %d bytes, want %d", keep, sum, total)
			}
		}
	}
}

// FuzzJoined hands a connection payloads that nobody has sent.
func FuzzJoined(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{20, 1200, 1473, 4000, 20_000} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		b[0] = 0x40
		f.Add(b, n, 1200)
		b = append([]byte{0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e}, b...)
		f.Add(b, n+100, 600)
	}
	f.Fuzz(func(t *testing.T, b []byte, size, again int) {
		h := newHeard(t)
		c := &quic.Conn{To: h, Scratch: &quic.Scratch{}, Shared: &ctls.Shared{}}
		size = min(max(size, len(b)), 1<<16)
		b = b[:min(len(b), size)]
		for i, from := range []talk.Side{talk.Client, talk.Server, talk.Client} {
			each, _ := c.Datagram(from, b, size, talk.Mark{At: 1, Frame: int64(i + 1)})
			if each > size || each <= 0 && size > 0 {
				t.Fatalf("datagrams of %d bytes in %d", each, size)
			}
			b = b[:min(len(b), max(again, 0))]
		}
		c.Close(talk.Mark{At: 2, Frame: 9})
	})
}
