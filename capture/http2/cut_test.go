package http2_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"linger"
	h2 "linger/capture/http2"
	"linger/capture/talk"
	"linger/trace"
)

// busy is a play of several exchanges, with the frames that lie between them.
func busy(seed uint64, n int) *play {
	r := rand.New(rand.NewPCG(seed, 1))
	p := newPlay().begin()
	type asked struct {
		id   uint32
		body int
	}
	var open []asked
	id := uint32(1)
	for n > 0 || len(open) > 0 {
		if n > 0 && (len(open) == 0 || len(open) < 5 && r.IntN(2) == 0) {
			body := 0
			if r.IntN(3) == 0 {
				body = 1 + r.IntN(900)
			}
			p.ask(id, []string{"GET", "PUT"}[min(body, 1)], fmt.Sprintf("/%d", r.IntN(9)), body)
			open = append(open, asked{id, body})
			id, n = id+2, n-1
			continue
		}
		i := r.IntN(len(open))
		p.answer(open[i].id, []string{"200", "404", "500", "418"}[r.IntN(4)], r.IntN(3)*r.IntN(12000), "x-n", fmt.Sprint(r.IntN(5)))
		open = slices.Delete(open, i, i+1)
		switch r.IntN(4) {
		case 0:
			p.fr.WritePing(false, [8]byte{3})
			p.say(talk.Server)
		case 1:
			p.fr.WriteWindowUpdate(0, 1000)
			p.say(talk.Client)
		}
	}
	return p
}

func (p *play) truth() (out []string) {
	f := p.feed()
	return f.end(talk.Cut)
}

// Each way to part what was said into pieces gives the same.
func TestPieces(t *testing.T) {
	p := busy(1, 12)
	want := p.truth()
	if len(want) != 12 {
		t.Fatalf("%d exchanges, want 12", len(want))
	}
	for size := range 40 {
		f := newFeeder(true)
		for _, s := range p.pieces {
			for b := s.b; len(b) > 0; {
				n := min(size+1, len(b))
				f.data(s.from, b[:n], talk.Mark{At: s.at})
				b = b[n:]
			}
		}
		if got := f.end(talk.Cut); !slices.Equal(got, want) {
			t.Fatalf("pieces of %d: got\n\t%s\nwant\n\t%s", size+1, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
}

// What has ended before the capture ends is as in all of it.
func TestPrefixes(t *testing.T) {
	p := busy(2, 8)
	want := p.truth()
	total := 0
	for _, s := range p.pieces {
		total += len(s.b)
	}
	for cut := 0; cut <= total; cut += 1 + cut/97 {
		f := newFeeder(true)
		left := cut
		for _, s := range p.pieces {
			n := min(left, len(s.b))
			if left -= n; n > 0 {
				f.data(s.from, s.b[:n], talk.Mark{At: s.at})
			}
		}
		whole := len(f.out)
		got := f.end(talk.StillGoing)
		if !slices.Equal(got[:whole], want[:whole]) {
			t.Fatalf("%d bytes: got\n\t%s\nwant\n\t%s", cut, strings.Join(got[:whole], "\n\t"), strings.Join(want[:whole], "\n\t"))
		}
		for _, x := range got[whole:] {
			if !strings.HasSuffix(x, talk.StillGoing) {
				t.Fatalf("%d bytes: got %s", cut, x)
			}
		}
	}
}

// known parts a line into what it says; of what is not known it says nothing.
func known(line string) (stream, method, url, status, bodies string, doubt bool) {
	f := strings.SplitN(line, " ", 5)
	_, stream, _ = strings.Cut(f[0], "/")
	bodies, _, _ = strings.Cut(f[4], " ")
	bodies, _, _ = strings.Cut(bodies, ":")
	return stream, f[1], f[2], f[3], bodies, strings.Contains(f[4], "inferred") || strings.Contains(f[4], ":")
}

// answered is the size of the response's body.
func answered(bodies string) string {
	_, n, _ := strings.Cut(bodies, "+")
	return n
}

// Whatever is missing, what is said of an exchange is right, or empty; and sizes are right, or
// are said to be inferred.
func TestMissing(t *testing.T) {
	p := busy(3, 12)
	want := map[string]string{}
	for _, line := range p.truth() {
		stream, _, _, _, _, _ := known(line)
		want[stream] = line
	}
	total := 0
	for _, s := range p.pieces {
		total += len(s.b)
	}
	seen, all := 0, 0
	for _, size := range []int{1, 7, 100, 1460, 9000} {
		for at := 0; at < total; at += 1 + size/3 + at/200 {
			f := newFeeder(true)
			for i := 0; i < len(p.pieces); i++ {
				s := p.pieces[i]
				begin := 0
				for _, before := range p.pieces[:i] {
					begin += len(before.b)
				}
				m := talk.Mark{At: s.at}
				from, to := min(max(at-begin, 0), len(s.b)), min(max(at+size-begin, 0), len(s.b))
				if from > 0 {
					f.data(s.from, s.b[:from], m)
				}
				if to > from {
					f.gap(s.from, int64(to-from), m)
				}
				if to < len(s.b) && to >= from && len(s.b[to:]) > 0 {
					f.data(s.from, s.b[to:], m)
				}
			}
			got := f.end(talk.Cut)
			all += len(want)
			streams := map[string]bool{}
			for _, line := range got {
				stream, method, url, status, bodies, doubt := known(line)
				truth, ok := want[stream]
				if !ok || streams[stream] {
					t.Fatalf("%d missing at %d: there is no %s, or twice", size, at, line)
				}
				streams[stream] = true
				_, m, u, s, b, _ := known(truth)
				if strings.HasPrefix(line, "0/") { // its request was not captured
					bodies, b = answered(bodies), answered(b)
				}
				if method != "" && method != m || url != "" && url != u || status != "0" && status != s || !doubt && bodies != b {
					t.Fatalf("%d missing at %d: got %s, want %s", size, at, line, truth)
				}
				if line == truth {
					seen++
				}
			}
		}
	}
	t.Logf("%d of %d exchanges as if nothing were missing", seen, all)
	if seen*10 < all*8 {
		t.Errorf("%d of %d exchanges as if nothing were missing", seen, all)
	}
}

// A connection that began before the capture is read from the first frames that are found.
func TestBeganBefore(t *testing.T) {
	p := busy(4, 40)
	want := map[string]string{}
	for _, line := range p.truth() {
		stream, _, _, _, _, _ := known(line)
		want[stream] = line
	}
	for first := 3; first < len(p.pieces); first++ {
		f := newFeeder(false)
		for _, s := range p.pieces[first:] {
			f.data(s.from, s.b, talk.Mark{At: s.at})
		}
		for _, line := range f.end(talk.Cut) {
			stream, method, url, status, bodies, doubt := known(line)
			_, m, u, s, b, _ := known(want[stream])
			if strings.HasPrefix(line, "0/") { // its request was not captured
				bodies, b = answered(bodies), answered(b)
			}
			if method != "" && method != m || url != "" && url != u || status != "0" && status != s || !doubt && bodies != b {
				t.Fatalf("from piece %d on: got %s, want %s", first, line, want[stream])
			}
		}
		if f.c.Resynced > 0 {
			t.Fatalf("from piece %d on: resynchronised, and nothing was missing", first)
		}
	}
}

func FuzzFrames(f *testing.F) {
	for seed := range uint64(3) {
		var b []byte
		for _, s := range busy(seed, 3).pieces {
			b = append(b, byte(s.from), byte(len(s.b)), byte(len(s.b)>>8))
			b = append(b, s.b...)
		}
		f.Add(b, true)
		f.Add(b[200:], false)
	}
	f.Fuzz(func(t *testing.T, b []byte, began bool) {
		f := newFeeder(began)
		for n := 0; len(b) > 3; n++ {
			from, kind := talk.Side(b[0]&1), b[0]>>1
			size := min(int(b[1])|int(b[2])<<8, len(b)-3)
			m := talk.Mark{Frame: int64(n)}
			if kind == 1 {
				f.gap(from, int64(size), m)
			} else {
				f.data(from, b[3:3+size], m)
			}
			b = b[3+size:]
		}
		f.end(talk.Cut)
		if f.c.Waiting() {
			t.Error("something is open")
		}
	})
}

// benchmark reads n exchanges with bodies of a size, in packets.
func benchmark(b *testing.B, n, body int) {
	const packet = 1448
	p := newPlay().begin()
	for i := range n {
		p.ask(uint32(2*i+1), "GET", "/a", 0).answer(uint32(2*i+1), "200", body)
	}
	size := 0
	for _, s := range p.pieces {
		size += len(s.b)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	got := 0
	shared := &talk.Shared{Emit: func(_ linger.Protocol, x *trace.Exchange) {
		if x.ResponseBody == int64(body) && x.Status == 200 {
			got++
		}
	}}
	for b.Loop() {
		got = 0
		f := feeder{c: h2.Conversation{Shared: shared, Scheme: "https://", Began: true}}
		for _, s := range p.pieces {
			for d := s.b; len(d) > 0; {
				k := min(packet, len(d))
				f.data(s.from, d[:k], talk.Mark{At: s.at})
				d = d[k:]
			}
		}
		if got != n {
			b.Fatalf("%d exchanges, want %d", got, n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/request")
}

func BenchmarkBodies(b *testing.B) { benchmark(b, 1000, 10_000) }
func BenchmarkSmall(b *testing.B)  { benchmark(b, 10_000, 20) }
