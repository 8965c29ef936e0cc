package turns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// script makes pieces of a line: "<" from the server, ">" from the client, each with sizes of
// records; a size with "H" is of a visible handshake message, with "A" an alert. A number with
// "ms" is a wait. All pieces of a burst pass at once.
func script(line string) (pieces []Piece) {
	from, at := talk.Client, linger.Instant(0)
	for i, word := range strings.Fields(line) {
		switch word {
		case ">":
			from = talk.Client
			continue
		case "<":
			from = talk.Server
			continue
		}
		if d, err := time.ParseDuration(word); err == nil && d > 0 {
			at = at.Add(d)
			continue
		}
		p := Piece{From: from, Kind: wire.RecordData}
		if n, ok := strings.CutSuffix(word, "H"); ok {
			word, p.Kind = n, wire.RecordHandshake
		}
		if n, ok := strings.CutSuffix(word, "A"); ok {
			word, p.Kind = n, wire.RecordAlert
		}
		fmt.Sscan(word, &p.Size)
		p.Began = talk.Mark{At: at, Frame: int64(i)}
		p.Ended = p.Began
		pieces = append(pieces, p)
	}
	return pieces
}

var (
	tls13  = trace.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", Offered: []string{"http/1.1"}}
	tls12  = trace.TLS{Version: "1.2", Cipher: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Offered: []string{"h2", "http/1.1"}, ALPN: "http/1.1"}
	either = trace.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", Offered: []string{"h2", "http/1.1"}}
	again  = trace.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", Resumed: true}
)

// hello13 is a whole handshake of TLS 1.3 until the client's Finished, hello12 one of 1.2.
const (
	hello13 = "> 512H < 122H 36 900 281 53 > 53 "
	hello12 = "> 512H < 106H 900H 115H 4H > 37H 40H < 40H "
)

func TestTurns(t *testing.T) {
	for _, c := range []struct {
		name string
		tls  trace.TLS
		line string
		want string // of each turn: bytes up, bytes down; "?" where it is not certain
		near time.Duration
	}{
		{name: "one after another", tls: tls13, line: hello13 + "> 100 < 300 16401 5000 50ms > 120 < 400", want: "100/21701 120/400"},
		{name: "an answer with a pause", tls: tls13, line: hello13 + "> 100 < 300 1s < 700 1s < 22", want: "100/1022"},
		{name: "two tickets before the answer", tls: tls13, line: hello13 + "> 100 < 250 250 300", want: "100/300"},
		{name: "two tickets, and the request between", tls: tls13, line: hello13 + "< 250 > 100 < 250 300", want: "100/300"},
		{name: "tickets without a request", tls: tls13, line: hello13 + "< 250 250 > 19", want: ""},
		{name: "one ticket after a resumption", tls: again, line: "> 512H < 128H 30 53 > 53 90 < 233 1500", want: "90/1500"},
		{name: "one record that may be a ticket, and is an answer", tls: again, line: "> 512H < 128H 30 53 > 53 90 < 233 > 90 < 233", want: "90/233 90/233"},
		{name: "a client's certificate", tls: tls13, line: "> 512H < 122H 36 80 900 281 53 > 700 280 53 100 < 300", want: "100/300"},
		{name: "a client's certificate in one record with its Finished", tls: tls13, line: "> 512H < 122H 36 80 900 281 53 > 1100 100 < 300", want: "100/300?"},
		{name: "no client's certificate, and SHA-384", tls: tls13, line: "> 512H < 122H 36 80 900 281 69 > 25 69 100 < 300", want: "100/300"},
		{name: "early data", tls: again, line: "> 512H 100 < 128H 30 53 1500 > 21 53 50ms > 100 < 1500", want: "100/1500 100/1500"},
		{name: "another hello is wanted", tls: tls13, line: "> 512H < 90H > 540H < 122H 36 900 281 53 > 53 100 < 300", want: "100/300"},
		{name: "close_notify", tls: tls13, line: hello13 + "> 100 < 300 1s < 19 > 19", want: "100/300"},
		{name: "a key update", tls: tls13, line: hello13 + "> 100 < 300 > 22 < 22 > 100 < 300", want: "100/322 100/300"},
		{name: "an upload", tls: tls13, line: hello13 + "> 150 16401 16401 3000 < 250 > 100 < 300", want: "35952/250? 100/300"},
		{name: "an upload after 100 Continue", tls: tls13, line: hello13 + "> 150 < 42 > 16401 16401 < 250", want: "32952/292?"},
		{name: "a status of the size of 100 Continue and more", tls: tls13, line: hello13 + "> 150 < 42 29 > 100 < 300", want: "150/71 100/300"},
		{name: "an answer before the upload has ended", tls: tls13, line: hello13 + "> 150 16401 16401 < 250 > 16401 16401 16401 900 < 300", want: "83055/550?"},
		{name: "an answer that the client cannot have seen", tls: tls13, near: 10 * time.Millisecond, line: hello13 + "> 150 9000 < 250 5ms > 7000 100ms > 100 < 300", want: "16250/550?"},
		{name: "a request that nothing answers", tls: tls13, line: hello13 + "> 100 < 300 1s > 100", want: "100/300 100/0"},
		{name: "pipelined", tls: tls13, line: hello13 + "> 100 100 100 < 300 300 300", want: "300/900?"},
		{name: "an answer in two records of a size", tls: tls13, line: hello13 + "> 100 < 300 300 > 100 < 300", want: "100/600? 100/300"},
		{name: "two tickets within an upload", tls: tls13, line: hello13 + "> 150 16401 < 250 250 > 16401 < 300", want: "32952/300?"},
		{name: "two tickets before a body", tls: tls13, line: hello13 + "> 150 < 250 250 > 16401 < 300 > 100 < 300", want: "16551/300? 100/300"},
		{name: "nobody asked", tls: tls13, line: hello13 + "1s < 230 19", want: ""},
		{name: "TLS 1.2, whose handshake is seen", tls: tls12, line: hello12 + "> 100 < 300 50ms > 100 < 300 > 26A < 26A", want: "100/300 100/300"},
		{name: "TLS 1.2, a ticket and a new handshake", tls: tls12, line: "> 512H < 106H 900H 4H > 37H 40H < 200H 40H > 100 < 300 < 28H > 520H < 900H > 100 < 300", want: "100/300 100/300"},
		{name: "HTTP/2, one after another", tls: either, line: hello13 + "> 81 < 57 26 > 26 80 < 500 > 40 < 500 30 > 30", want: "80/500? 40/500?"},
		{name: "HTTP/2, a request with the preface", tls: either, line: hello13 + "> 121 < 57 26 1118 > 26 > 38 < 1064", want: "121/1118? 38/1064?"},
		{name: "HTTP/2, windows and PING", tls: either, line: hello13 + "> 81 60 < 57 26 16401 16401 > 30 43 < 16401 > 34 < 34 9000", want: "60/58203?"},
		{name: "HTTP/2, an upload", tls: either, line: hello13 + "> 81 < 57 26 > 26 70 16401 16401 < 30 30 > 16401 16401 500 < 80", want: "66174/80?"},
		{name: "HTTP/2, side by side", tls: either, line: hello13 + "> 81 < 57 26 > 26 70 40 40 40 < 5000 5000", want: "190/10000?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			r := Reader{Near: c.near, Each: func(x Turn) {
				one := fmt.Sprintf("%d/%d", x.Up, x.Down)
				if !x.Certain {
					one += "?"
				}
				got = append(got, one)
			}}
			for _, p := range script(c.line) {
				r.Hello(c.tls)
				r.Add(p)
			}
			r.Close()
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s has %q, want %q", c.line, s, c.want)
			}
			if int(r.Turns) != len(got) {
				t.Errorf("%d turns are counted, and %d handed on", r.Turns, len(got))
			}
		})
	}
}

// Of QUIC pieces are packets, without their headers.
func TestTurnsOfQUIC(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       int64
	}{
		{"a handshake alone", "< 72 > 80 < 299 > 8", 0},
		{"one after another", "< 72 > 128 < 299 1064 > 8 34 < 11 1064 > 8 34 < 3 1072", 3},
		{"in early data", "> 94 32 56 < 88 1070 > 11 34 < 1064", 2},
		{"a search for a larger packet", "< 72 > 128 < 299 1064 > 1343 < 11 1064", 1},
		{"an upload", "< 72 > 128 1257 1257 1257 < 9 9 > 1257 1257 300 < 299 90", 1},
	} {
		r := Reader{}
		r.QUIC()
		for _, p := range script(c.line) {
			p.Kind = 0
			r.Add(p)
		}
		r.Close()
		if r.Turns != c.want {
			t.Errorf("%s: %d, want %d", c.name, r.Turns, c.want)
		}
		if r.Exchanges() {
			t.Errorf("%s: turns are taken for exchanges", c.name)
		}
	}
}

// What has no hello may be anything, and turns are none but turns.
func TestWithoutHello(t *testing.T) {
	r := Reader{}
	for _, p := range script("> 100 < 300 > 100 < 300") {
		r.Add(p)
	}
	r.Close()
	if r.Exchanges() {
		t.Error("turns are taken for exchanges")
	}
}

// FuzzTurns adds any pieces in any order: turns are in order and apart, and no byte is made up.
func FuzzTurns(f *testing.F) {
	for _, line := range []string{hello13 + "> 100 < 250 250 300 > 120 < 400", hello12 + "> 100 < 300", hello13 + "> 150 < 42 > 16401 16401 < 250 > 100"} {
		var b []byte
		for _, p := range script(line) {
			b = append(b, byte(p.From), p.Kind, byte(p.Size>>8), byte(p.Size), 1)
		}
		for how := range byte(8) {
			f.Add(how, b)
		}
	}
	f.Fuzz(func(t *testing.T, how byte, b []byte) {
		var up, down, sumUp, sumDown int64
		number, last := 0, linger.Instant(-1)
		r := Reader{Near: time.Duration(how>>4) * time.Millisecond, Each: func(x Turn) {
			if number++; x.Number != number {
				t.Fatalf("turn %d comes as number %d", x.Number, number)
			}
			if x.Sent.At < last || x.Answered && (x.FirstByte.At < x.Sent.At || x.Done.At < x.FirstByte.At) {
				t.Fatalf("%+v begins before %d, or ends before it begins", x, last)
			}
			last = x.Sent.At
			if x.Answered != (x.Down > 0) || x.Up <= 0 {
				t.Fatalf("%+v", x)
			}
			sumUp, sumDown = sumUp+x.Up, sumDown+x.Down
		}}
		if how&8 != 0 {
			r.QUIC()
		}
		at := linger.Instant(0)
		for ; len(b) >= 5; b = b[5:] {
			at = at.Add(time.Duration(b[4]) * time.Millisecond)
			p := Piece{From: talk.Side(b[0] & 1), Kind: b[1], Size: int64(b[2])<<8 | int64(b[3]), Began: talk.Mark{At: at}, Ended: talk.Mark{At: at}}
			if how&8 != 0 {
				p.Kind = 0
			}
			r.Hello([]trace.TLS{tls13, tls12, either, again}[how&3])
			if b[4] == 255 {
				r.Gap(p.From)
			}
			if p.From == talk.Client {
				up += p.Size
			} else {
				down += p.Size
			}
			r.Add(p)
		}
		r.Close()
		if sumUp > up || sumDown > down || int(r.Turns) != number {
			t.Fatalf("%d of %d bytes up, %d of %d down, %d of %d turns", sumUp, up, sumDown, down, number, r.Turns)
		}
	})
}

func BenchmarkPieces(b *testing.B) {
	pieces := script("> 100 < 300 16401 16401 16401 5000 > 120 < 400")
	r := Reader{}
	for _, p := range script(hello13) {
		r.Hello(tls13)
		r.Add(p)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r.Add(pieces[i%len(pieces)])
	}
}
