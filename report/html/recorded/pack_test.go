package recorded

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/audit"
	"linger/audit/timeline"
	"linger/trace"
)

// recordedOf is a timeline of so many connections, each with a request, one every 10 ms.
func recordedOf(connections int, paths bool) *timeline.Timeline {
	c := timeline.New()
	c.Paths = paths
	for i := range connections {
		id, at := int64(i), linger.Instant(time.Duration(i)*10*time.Millisecond)
		c.Exchange(&trace.Exchange{Connection: id, Method: "GET", URL: fmt.Sprintf("http://a/object-%d?token=secret", i%9), Sent: linger.Known(at.Add(time.Millisecond)), Status: 200})
		c.Connection(&trace.Connection{ID: id, Dialled: at, Closed: linger.Known(at.Add(time.Second))})
		c.Row(audit.Row{ID: id, Opened: at, Requests: 1, Client: "10.0.0.1:99", Server: "192.0.2.1:80", Cause: audit.ServerIdle, Lasted: linger.Known(time.Second), Before: -1})
	}
	return c.End(linger.Instant(connections+100) * linger.Instant(10*time.Millisecond))
}

// unpack is what a script sees: the head, and every number behind it.
func unpack(t *testing.T, packed string) (h head, numbers []uint64, raw []byte) {
	t.Helper()
	raw, err := io.ReadAll(flate.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(packed))))
	if err != nil {
		t.Fatal(err)
	}
	from := 4 + int(binary.LittleEndian.Uint32(raw))
	if err := json.Unmarshal(raw[4:from], &h); err != nil {
		t.Fatal(err)
	}
	for rest := raw[from:]; len(rest) > 0; {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			t.Fatal("a number has no end")
		}
		numbers, rest = append(numbers, n), rest[size:]
	}
	return h, numbers, raw
}

// What is packed is what was kept: each connection with its instants, and nothing behind them.
func TestPackIsReadAgain(t *testing.T) {
	const columns, ofExchange = 30, 7 // as inspect.js reads them
	for _, n := range []int{0, 1, 900} {
		drawn := recordedOf(n, true)
		h, numbers, _ := unpack(t, Pack(drawn))
		if h.Singles != n || h.Exchanges != n || h.Connections != n || !h.Whole && n > 0 {
			t.Errorf("%d: the head is %+v", n, h)
		}
		if want := n*columns + n*ofExchange; len(numbers) != want {
			t.Fatalf("%d: %d numbers; want %d", n, len(numbers), want)
		}
		id, opened := int64(0), int64(0)
		unfold := func(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }
		for i, s := range drawn.Singles {
			id += unfold(numbers[i])
			opened += unfold(numbers[n+i])
			if id != s.ID || opened != micros(time.Duration(s.Opened)) || numbers[2*n+i] != uint64(time.Second/time.Microsecond)+1 {
				t.Fatalf("%d: connection %d is %d, opened after %d µs, lasting %d", n, s.ID, id, opened, numbers[2*n+i])
			}
		}
	}
}

// What is packed has no query, and where names are redacted no path.
func TestPackHoldsNoSecret(t *testing.T) {
	for _, paths := range []bool{true, false} {
		_, _, raw := unpack(t, Pack(recordedOf(40, paths)))
		if bytes.Contains(raw, []byte("secret")) || bytes.Contains(raw, []byte("object-")) != paths {
			t.Errorf("with paths %t it holds %q", paths, raw[:min(len(raw), 600)])
		}
	}
}
