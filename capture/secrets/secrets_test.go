package secrets

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func line(label string, random byte, secret string) string {
	return label + " " + strings.Repeat(fmt.Sprintf("%02x", random), 32) + " " + hex.EncodeToString([]byte(secret))
}

var (
	master = strings.Repeat("m", 48)
	short  = strings.Repeat("s", 32)
)

func of(b byte) (r Random) {
	for i := range r {
		r[i] = b
	}
	return r
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		want        Counts
		master      string // of the connection 0xab
	}{
		{"a line", line("CLIENT_RANDOM", 0xab, master) + "\n", Counts{Connections: 1, Secrets: 1}, master},
		{"CRLF, comments and empty lines", "# made by a browser\r\n\r\n" + line("CLIENT_RANDOM", 0xab, master) + "\r\n", Counts{Connections: 1, Secrets: 1}, master},
		{"upper case of digits, lower case of the label", strings.ToUpper(line("CLIENT_RANDOM", 0xab, master)) + "\n" + line("client_random", 0xac, master) + "\n", Counts{Connections: 2, Secrets: 2}, master},
		{"tabs and spaces", strings.ReplaceAll(line("CLIENT_RANDOM", 0xab, master), " ", " \t ") + "  \n", Counts{Connections: 1, Secrets: 1}, master},
		{"said twice", line("CLIENT_RANDOM", 0xab, master) + "\n" + line("CLIENT_RANDOM", 0xab, master) + "\n", Counts{Connections: 1, Secrets: 2}, master},
		{"a later one replaces", line("CLIENT_RANDOM", 0xab, strings.Repeat("x", 48)) + "\n" + line("CLIENT_RANDOM", 0xab, master) + "\n", Counts{Connections: 1, Secrets: 2}, master},
		{"a last line that is cut", line("CLIENT_RANDOM", 0xab, master)[:100], Counts{Malformed: 1}, ""},
		{"a last line without its end", line("CLIENT_RANDOM", 0xab, master), Counts{Connections: 1, Secrets: 1}, master},
		{"other labels", line("EXPORTER_SECRET", 0xab, short) + "\nRSA 0123456789abcdef " + strings.Repeat("00", 48) + "\n" + line("ECH_SECRET", 0xab, short) + "\n", Counts{Other: 3}, ""},
		{"nonsense", "CLIENT_RANDOM\nCLIENT_RANDOM xx yy\nCLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("0g", 48) + "\n\x00\x01 a b\na b c d\n" + strings.Repeat("A", 10_000) + "\n", Counts{Malformed: 6}, ""},
		{"a master secret of 32 bytes", line("CLIENT_RANDOM", 0xab, short) + "\n", Counts{Malformed: 1}, ""},
	} {
		for size := range []int{0, 1, 7} {
			var l Log
			feed := l.Feed()
			for rest := []byte(c.lines); len(rest) > 0; {
				n := len(rest)
				if size > 0 {
					n = min(size, n)
				}
				feed.Write(rest[:n])
				rest = rest[n:]
			}
			feed.End()
			if got := l.Counts(); got != c.want {
				t.Errorf("%s: %+v, not %+v", c.name, got, c.want)
			}
			got := ""
			if k := l.Find(of(0xab)); k != nil {
				got = string(k.Master)
			}
			if got != c.master {
				t.Errorf("%s: another secret", c.name)
			}
		}
	}
}

// A last line without its end counts, and is completed by what is written behind it.
func TestPeek(t *testing.T) {
	var l Log
	f := l.Feed()
	whole := line("CLIENT_TRAFFIC_SECRET_0", 1, strings.Repeat("s", 48))
	for _, step := range []struct {
		write string
		known int
	}{{"# a comment\n" + whole[:70], 0}, {whole[70:], 48}, {"\n", 48}} {
		f.Write([]byte(step.write))
		f.Peek()
		f.Peek()
		got := 0
		if k := l.Find(of(1)); k != nil {
			got = len(k.ClientTraffic)
		}
		if got != step.known {
			t.Errorf("behind %q a secret of %d bytes is known; want %d", step.write, got, step.known)
		}
	}
	if c := l.Counts(); c.Connections != 1 || c.Malformed != 0 {
		t.Errorf("%+v", c)
	}
}

func TestEachLabelHasItsPlace(t *testing.T) {
	var l Log
	for i, label := range []string{"CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} {
		l.Add([]byte(line(label, 1, strings.Repeat(string(rune('a'+i)), 32)) + "\n"))
	}
	k := l.Find(of(1))
	for i, got := range [][]byte{k.ClientEarly, k.ClientHandshake, k.ServerHandshake, k.ClientTraffic, k.ServerTraffic} {
		if string(got) != strings.Repeat(string(rune('a'+i)), 32) {
			t.Errorf("secret %d is not in its place", i)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	var l Log
	const more = 100
	var hexed [64]byte
	for i := range MaxConnections + more {
		var r Random
		binary.BigEndian.PutUint32(r[:], uint32(i))
		hex.Encode(hexed[:], r[:])
		l.Add([]byte("CLIENT_RANDOM " + string(hexed[:]) + " " + strings.Repeat("ab", 48) + "\n"))
	}
	if got := l.Counts(); got.Connections != MaxConnections || got.Forgotten != more {
		t.Fatalf("%+v", got)
	}
	var first, last Random
	binary.BigEndian.PutUint32(first[:], more-1)
	binary.BigEndian.PutUint32(last[:], more)
	if l.Find(first) != nil || l.Find(last) == nil {
		t.Error("not the oldest went")
	}
}

func TestMoreIsAskedForOnlyWhereNothingIsKnown(t *testing.T) {
	asked := 0
	l := Log{More: func(l *Log) {
		if asked++; asked == 2 {
			l.Add([]byte(line("CLIENT_RANDOM", 7, master) + "\n"))
		}
	}}
	if l.Find(of(7)) != nil || l.Find(of(7)) == nil || l.Find(of(7)) == nil || asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

func TestRenew(t *testing.T) {
	asked := 0
	var l Log
	l.Add([]byte(line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 7, short)))
	l.More = func(l *Log) {
		if asked++; asked == 2 {
			l.Add([]byte(line("CLIENT_TRAFFIC_SECRET_0", 7, short) + "\n"))
		}
	}
	had := l.Find(of(7))
	if l.Renew(of(7), had) != had {
		t.Error("nothing has been added")
	}
	now := l.Renew(of(7), had)
	if now == had || now.ClientTraffic == nil || now.ClientHandshake == nil {
		t.Error("what has been added is not there")
	}
	if l.Renew(of(7), had) != now || asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	if l.Renew(of(8), had) != had {
		t.Error("what is there no longer was forgotten")
	}
}

// FuzzLog adds bytes in whole and in pieces: they come to the same.
func FuzzLog(f *testing.F) {
	f.Add([]byte(line("CLIENT_RANDOM", 0xab, master)+"\r\n# c\n"+line("SERVER_TRAFFIC_SECRET_0", 0xab, short)), uint8(3))
	f.Add([]byte("CLIENT_RANDOM  \n\n\x00"), uint8(1))
	f.Add(bytes.Repeat([]byte("A"), 2*maxLine), uint8(200))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		var whole, pieces Log
		whole.Add(b)
		feed := pieces.Feed()
		for rest := b; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			feed.Write(rest[:n])
			rest = rest[n:]
		}
		feed.End()
		if a, c := whole.Counts(), pieces.Counts(); a != c {
			t.Fatalf("%+v, and in pieces %+v", a, c)
		}
	})
}
