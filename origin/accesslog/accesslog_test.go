package accesslog

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"linger/trace"
)

// A narrow writer has room for so many bytes, and none for a line that does not fit.
type narrow struct {
	bytes.Buffer
	room int
}

func (n *narrow) Write(p []byte) (int, error) {
	fits := min(len(p), n.room)
	n.room -= fits
	n.Buffer.Write(p[:fits])
	if fits < len(p) {
		return fits, syscall.ENOSPC
	}
	return fits, nil
}

// TestLogOnAFullDisk: what is lost is counted and said once, and what comes later is whole.
func TestLogOnAFullDisk(t *testing.T) {
	entry := Entry{Event: Closed, Conn: 1, Remote: "192.0.2.1:4711", By: "client", Reason: "x"}
	line := len(entry.String()) + 1
	for _, cut := range []int{0, 1, 2, line - 2} {
		to, told := &narrow{room: line + cut}, 0
		l := New(to, func(err error) { told++ })
		for range 3 {
			l.Add(entry)
		}
		to.room = 1 // for the end of the torn line alone
		l.Add(entry)
		to.room = 10 * line
		l.Add(entry)
		l.Add(entry)
		if err := l.Err(); !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "3 entries are lost: ") || told != 1 {
			t.Errorf("cut after %d: %v, told %d times", cut, err, told)
		}
		whole := 0
		for _, text := range strings.Split(to.String(), "\n") {
			if text == entry.String() {
				whole++
			}
		}
		if whole != 3 {
			t.Errorf("cut after %d: %d whole lines of\n%s", cut, whole, to.String())
		}
	}
}

func TestLogLines(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 123456789, time.UTC)
	for _, test := range []struct {
		entry Entry
		want  string
	}{
		{
			Entry{Event: Answered, Time: at, Conn: 3, Remote: "192.0.2.1:4711", Request: 2, Duration: 121 * time.Microsecond, Method: "GET", Target: "/a", Version: "1.1", Status: 200, Body: 1024, Kept: true},
			`time=2026-01-02T15:04:05.123456Z event=request conn=3 request=2 remote=192.0.2.1:4711 method=GET target=/a version=1.1 status=200 body=1024 ms=0.121 kept=true`,
		}, {
			Entry{Event: Answered, Time: at, Conn: 3, Remote: "[::1]:4711", Request: 2, Method: "GET", Target: "/a?b=\"\n", Version: "1.0", Status: 200, Failed: "client reset"},
			`time=2026-01-02T15:04:05.123456Z event=request conn=3 request=2 remote=[::1]:4711 method=GET target="/a?b=\"\n" version=1.0 status=200 body=0 ms=0.000 kept=false failed="client reset"`,
		}, {
			Entry{Event: Closed, Time: at, Conn: 3, Remote: "192.0.2.1:4711", Request: 2, Duration: 5*time.Second + 988*time.Microsecond, By: trace.AtServer, Reason: "idle timeout"},
			`time=2026-01-02T15:04:05.123456Z event=close conn=3 requests=2 remote=192.0.2.1:4711 by=server reason="idle timeout" ms=5000.988 late=0`,
		},
	} {
		if got := test.entry.String(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
