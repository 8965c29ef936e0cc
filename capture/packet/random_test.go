package packet_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linger/capture/packet"
	"linger/capture/pcap"
	"linger/flow"
	"linger/internal/testall"
	"linger/internal/tshark"
	"linger/trace"
)

// played plays connections by luck, many at once, and returns what is true of each.
func played(f *film, rng *rand.Rand, connections int, plain bool) (truth []tshark.Counts) {
	f.step = 37 * time.Microsecond
	var open []*act
	for begun := 0; begun < connections || len(open) > 0; {
		if begun < connections && (len(open) == 0 || rng.IntN(4) == 0) {
			client, server := fmt.Sprintf("192.0.2.%d:%d", 10+begun%5, 40000+begun), "192.0.2.1:80"
			if begun%3 == 0 {
				client, server = fmt.Sprintf("[2001:db8::%d]:%d", 10+begun%5, 40000+begun), "[2001:db8::1]:80"
			}
			a := &act{talk: f.talk(client, server), rng: rng, left: rng.IntN(6), number: begun, plain: plain}
			a.next = [2]uint32{rng.Uint32(), rng.Uint32()}
			a.open()
			a.truth.SYN = 2
			open = append(open, a)
			begun++
		}
		i := rng.IntN(len(open))
		if a := open[i]; a.left == 0 {
			a.close(rng.IntN(2))
			for len(truth) <= a.number {
				truth = append(truth, tshark.Counts{})
			}
			truth[a.number] = a.truth
			open = append(open[:i], open[i+1:]...)
		} else {
			a.left--
			a.exchange()
		}
	}
	return truth
}

// An act is one connection that is played.
type act struct {
	*talk
	rng    *rand.Rand
	left   int // exchanges
	number int
	// plain is what tshark counts right: it loses responses where they are pipelined, or a
	// segment ends between the CR and the LF behind the last chunk.
	plain bool
	truth tshark.Counts
}

// exchange plays one or, pipelined, several requests with their responses.
func (a *act) exchange() {
	n := 1
	if !a.plain && a.rng.IntN(6) == 0 {
		n = 2 + a.rng.IntN(3)
	}
	var asks, answers strings.Builder
	for i := range n {
		body := strings.Repeat("b", a.rng.IntN(4)*700)
		fmt.Fprintf(&asks, "POST /%d HTTP/1.1\r\nHost: h.example\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
		body = strings.Repeat("a", a.rng.IntN(5)*1500)
		switch kind := a.rng.IntN(4); {
		case kind == 0:
			answers.WriteString("HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\n\r\n")
		case kind == 1 && !a.plain:
			answers.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			for len(body) > 0 {
				size := min(len(body), 1+a.rng.IntN(1200))
				fmt.Fprintf(&answers, "%x\r\n%s\r\n", size, body[:size])
				body = body[size:]
			}
			answers.WriteString("0\r\n\r\n")
		default:
			fmt.Fprintf(&answers, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	}
	a.truth.Requests += int64(n)
	a.truth.Responses += int64(n)
	a.stream(cli, asks.String())
	a.stream(srv, answers.String())
}

// stream sends text in segments, some of them twice, some in another order, and lets the
// other side acknowledge all.
func (a *act) stream(from int, text string) {
	for len(text) > 0 {
		size := min(len(text), 1+a.rng.IntN(1400))
		rest := text[size:]
		seq := a.next[from]
		switch {
		case len(rest) > 0 && a.rng.IntN(12) == 0:
			// The second one is seen before the first, which was lost on the way.
			second := min(len(rest), 500)
			a.again(from, seq+uint32(size), flow.ACK, rest[:second])
			a.film.wait(3 * time.Millisecond)
			a.again(from, seq, flow.ACK, text[:size])
			a.truth.Retransmitted++ // that is how it looks: later bytes had been seen
			size += second
			rest = text[size:]
		case a.rng.IntN(12) == 0:
			a.again(from, seq, flow.ACK, text[:size])
			a.film.wait(3 * time.Millisecond)
			a.again(from, seq, flow.ACK, text[:size])
			a.truth.Retransmitted++
		default:
			a.again(from, seq, flow.ACK, text[:size])
		}
		a.next[from] += uint32(size)
		text = rest
	}
	a.send(1-from, flow.ACK, "")
}

// TestRandomConnectionsAreCountedRight holds records against what was played, and tshark
// against both.
func TestRandomConnectionsAreCountedRight(t *testing.T) {
	for seed := range uint64(20) {
		f := newFilm()
		truth := played(f, rand.New(rand.NewPCG(seed, 1)), 40, seed < 2)
		file := f.pcap(raw, whole)
		got, s := read(t, file)
		counts := ofRecords(t, got)
		for n, want := range truth {
			if counts[int64(n)] != want {
				t.Errorf("seed %d, connection %d: %+v, played %+v", seed, n, counts[int64(n)], want)
			}
		}
		if len(counts) != len(truth) || s.Missing+s.Gaps+s.Resynced+s.Duplicates+s.Stray+s.BeganBefore != 0 {
			t.Errorf("seed %d: %d connections, %+v", seed, len(counts), s)
		}
		for _, x := range got.Exchanges {
			if x.Failed != "" || x.Known != trace.Seen || x.Done.IsZero() || x.FirstByte.Or(0) < x.Sent.Or(0) {
				t.Fatalf("seed %d: %+v", seed, x)
			}
		}
		if seed >= 2 {
			continue
		}
		t.Run(fmt.Sprint("tshark, seed ", seed), func(t *testing.T) {
			testall.Needs(t, "tshark")
			name := filepath.Join(t.TempDir(), "played.pcap")
			if err := os.WriteFile(name, file, 0o600); err != nil {
				t.Fatal(err)
			}
			want := byTshark(t, name, "-o", "tcp.reassemble_out_of_order:TRUE")
			for n, w := range want {
				if counts[n] != w {
					t.Errorf("tcp.stream %d: %+v, tshark counts %+v", n, counts[n], w)
				}
			}
		})
	}
}

// TestRandomLosses takes packets out: nothing may be counted that was not played, and each
// connection has one record.
func TestRandomLosses(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 2))
		f := newFilm()
		truth := played(f, rng, 20, false)
		kept := f.frames[:0]
		for _, one := range f.frames {
			if rng.IntN(20) > 0 {
				kept = append(kept, one)
			}
		}
		f.frames = kept
		got, s := read(t, f.pcap(raw, whole))
		if n := int64(len(got.Connections)) + s.Stray; n > int64(len(truth)) || n < int64(len(truth))-1 {
			t.Errorf("seed %d: %d connections of %d", seed, n, len(truth))
		}
		for n, c := range ofRecords(t, got) {
			if n >= int64(len(truth)) || c.Requests > truth[n].Requests || c.Responses > truth[n].Responses {
				t.Errorf("seed %d, connection %d: %+v", seed, n, c)
			}
		}
	}
}

// mutated changes bytes of a capture, its own heads mostly left alone.
func mutated(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + rng.IntN(20) {
		switch i := rng.IntN(len(b)); rng.IntN(4) {
		case 0:
			b[i] = byte(rng.Uint32())
		case 1:
			b[i] ^= 1 << rng.IntN(8)
		case 2:
			n := min(rng.IntN(64), len(b)-i)
			copy(b[i:], b[rng.IntN(len(b)-n+1):][:n])
		default:
			b = b[:max(i, 24)]
		}
	}
	return b
}

// TestMutations reads damaged captures: none may crash it, hang it or take memory without
// bound.
func TestMutations(t *testing.T) {
	t.Parallel()
	f := newFilm()
	played(f, rand.New(rand.NewPCG(1, 1)), 8, false)
	originals := [][]byte{f.pcap(raw, whole), f.pcap(raw, 90)}
	for _, file := range captures(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if z, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
			if b, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		originals = append(originals, b)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for range testall.Of(10_000, 2000) {
		check(t, mutated(rng, originals[rng.IntN(len(originals))]))
	}
}

// check reads a file that may be anything, and holds what has to be true of any.
func check(t *testing.T, b []byte) {
	t.Helper()
	files, err := pcap.Open([]pcap.Input{{Name: "file", From: bytes.NewReader(b)}})
	if err != nil {
		return
	}
	var got tshark.Records
	s, err := packet.Read(files, packet.Options{MaxTracked: 50}, &got)
	if err != nil {
		t.Fatal(err)
	}
	var connections, exchanges int64
	for _, n := range s.Connections {
		connections += n
	}
	for _, n := range s.Exchanges {
		exchanges += n
	}
	if connections != int64(len(got.Connections)) || exchanges != int64(len(got.Exchanges)) {
		t.Fatalf("%d and %d records, %+v", len(got.Connections), len(got.Exchanges), s)
	}
	w, err := trace.NewStreamWriter(io.Discard, trace.Source{}, trace.Stream{})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int64]bool{}
	for i := range got.Connections {
		c := &got.Connections[i]
		if ids[c.ID] || c.Missing.Or(0) < 0 {
			t.Fatalf("%+v", c)
		}
		ids[c.ID] = true
		if err := w.WriteConnection(c); err != nil {
			t.Fatal(err)
		}
	}
	numbers := map[int]bool{}
	for i := range got.Exchanges {
		x := &got.Exchanges[i]
		if numbers[x.ID] || !ids[x.Connection] {
			t.Fatalf("%+v", x)
		}
		numbers[x.ID] = true
		if err := w.WriteExchange(x); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzRead(f *testing.F) {
	few := newFilm()
	played(few, rand.New(rand.NewPCG(1, 1)), 2, false)
	f.Add(few.pcap(raw, whole))
	f.Add(few.pcap(raw, 80))
	tunnels := one().wrap(func(ip []byte) []byte { return tunnel(17, vxlan(append(make([]byte, 14), ip...))) })
	f.Add(tunnels.pcap(raw, whole))
	names := newFilm()
	names.udp(client, resolver, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01h\x07example\x00\x00\x01\x00\x01")
	f.Add(names.pcap(raw, whole))
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}
