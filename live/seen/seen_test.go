package seen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	h3qlog "github.com/quic-go/quic-go/http3/qlog"
	"github.com/quic-go/quic-go/qlog"
	"github.com/quic-go/quic-go/qlogwriter"
)

func crypto(offset, length int64) qlog.Frame {
	return qlog.Frame{Frame: &qlog.CryptoFrame{Offset: offset, Length: length}}
}

// tell has an observer hear events.
func tell(o *Observer, events ...qlogwriter.Event) {
	r := o.Trace(nil).AddProducer()
	for _, e := range events {
		r.RecordEvent(e)
	}
	r.Close()
	o.Wait()
}

func TestHandshakeBytesCountOnce(t *testing.T) {
	var o Observer
	sent := func(kind qlog.PacketType, frames ...qlog.Frame) qlogwriter.Event {
		return qlog.PacketSent{Header: qlog.PacketHeader{PacketType: kind}, Frames: frames}
	}
	received := func(kind qlog.PacketType, frames ...qlog.Frame) qlogwriter.Event {
		return qlog.PacketReceived{Header: qlog.PacketHeader{PacketType: kind}, Frames: frames}
	}
	tell(&o,
		sent(qlog.PacketTypeInitial, crypto(0, 300)), sent(qlog.PacketTypeInitial, crypto(0, 300)), // sent again
		received(qlog.PacketTypeRetry),
		received(qlog.PacketTypeInitial, crypto(0, 90)), received(qlog.PacketTypeHandshake, crypto(1000, 500)), received(qlog.PacketTypeHandshake, crypto(0, 1000)),
		sent(qlog.PacketTypeHandshake, crypto(0, 36)),
		received(qlog.PacketType1RTT, crypto(0, 250)), // a session ticket
		qlog.PacketLost{}, qlog.PacketLost{IsMTUProbePacket: true},
	)
	if got, want := o.Facts(), (Facts{Up: 336, Down: 1590, Retry: true, Lost: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestWhatAServerAllows(t *testing.T) {
	var totals []int64
	var limits []time.Duration
	o := Observer{Limit: func(n int64) { totals = append(totals, n) }, Idle: func(d time.Duration) { limits = append(limits, d) }}
	more := func(f *qlog.MaxStreamsFrame) qlogwriter.Event {
		return qlog.PacketReceived{Header: qlog.PacketHeader{PacketType: qlog.PacketType1RTT}, Frames: []qlog.Frame{{Frame: f}}}
	}
	set := func(by qlog.Initiator, idle time.Duration) qlogwriter.Event {
		return qlog.ParametersSet{Initiator: by, InitialMaxStreamsBidi: 100, MaxIdleTimeout: idle}
	}
	tell(&o, qlog.ParametersRestored{InitialMaxStreamsBidi: 90},
		set(qlog.InitiatorLocal, 10*time.Second),  // ours
		set(qlog.InitiatorRemote, 10*time.Second), // shorter than ours
		set(qlog.InitiatorRemote, 5*time.Second),  // or less: the stack does not say
		set(qlog.InitiatorRemote, time.Minute),    // ours counts
		more(&qlog.MaxStreamsFrame{Type: bidirectional, MaxStreamNum: 110}),
		more(&qlog.MaxStreamsFrame{Type: bidirectional + 1, MaxStreamNum: 3}))
	if want := []int64{90, 100, 100, 100, 110}; !slices.Equal(totals, want) {
		t.Errorf("streams %v, want %v", totals, want)
	}
	if len(limits) != 1 || limits[0] != 10*time.Second {
		t.Errorf("idle limits %v", limits)
	}
	if !o.Facts().Early {
		t.Error("parameters are there, and no early data may be sent")
	}
}

// A log is what HTTP is told.
type log []string

func (l *log) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

func (l *log) Created(id quic.StreamID, fields []h3qlog.HeaderField, size int64) {
	l.add("created %d: %d fields, %d bytes", id, len(fields), size)
}
func (l *log) Parsed(id quic.StreamID, fields, frame int64) {
	l.add("parsed %d: %d of %d", id, fields, frame)
}
func (l *log) Calm(carries bool)                        { l.add("calm %v", carries) }
func (l *log) StreamEnded(id quic.StreamID, size int64) { l.add("ended %d: %d", id, size) }
func (l *log) GoAway(first quic.StreamID)               { l.add("goaway %d", first) }

func TestWhatHTTPIsTold(t *testing.T) {
	var l log
	o := Observer{HTTP: &l}
	frame := func(length, payload int, f any) qlogwriter.Event {
		return h3qlog.FrameParsed{StreamID: 4, Raw: h3qlog.RawInfo{Length: length, PayloadLength: payload}, Frame: h3qlog.Frame{Frame: f}}
	}
	tell(&o,
		h3qlog.FrameCreated{StreamID: 4, Raw: h3qlog.RawInfo{PayloadLength: 30}, Frame: h3qlog.Frame{Frame: h3qlog.HeadersFrame{HeaderFields: make([]h3qlog.HeaderField, 5)}}},
		h3qlog.StreamTypeSet{},
		frame(22, 20, h3qlog.HeadersFrame{}), frame(-1, 20, h3qlog.HeadersFrame{}), // the second has not been read to its end
		frame(103, 100, h3qlog.DataFrame{}), frame(2, 0, h3qlog.DataFrame{}),
		frame(3, 1, h3qlog.GoAwayFrame{StreamID: 8}),
		qlog.PacketReceived{Header: qlog.PacketHeader{PacketType: qlog.PacketType1RTT}, Frames: []qlog.Frame{
			{Frame: &qlog.StreamFrame{StreamID: 4, Offset: 100, Length: 27}}, {Frame: &qlog.StreamFrame{StreamID: 4, Offset: 127, Fin: true}}}})
	want := []string{"created 4: 5 fields, 30 bytes", "calm false",
		"parsed 4: 20 of 22", "calm true", "parsed 4: 0 of -1", "calm false",
		"parsed 4: 0 of 103", "calm true", "parsed 4: 0 of 2", "calm false",
		"parsed 4: 0 of 3", "calm false", "goaway 8", "ended 4: 127"}
	if !slices.Equal(l, want) {
		t.Errorf("told\n%s, want\n%s", strings.Join(l, "\n"), strings.Join(want, "\n"))
	}
}

// memory is a qlog in memory.
type memory struct{ bytes.Buffer }

func (*memory) Close() error { return nil }

func TestSecretsAreInNoQlog(t *testing.T) {
	var file memory
	o := Observer{Secret: func(name string) bool { return name == "x-token" }}
	r := o.Trace(&file).AddProducer()
	fields := []h3qlog.HeaderField{{Name: "x-token", Value: "hush"}, {Name: "accept", Value: "image/avif"}}
	r.RecordEvent(h3qlog.FrameCreated{Frame: h3qlog.Frame{Frame: h3qlog.HeadersFrame{HeaderFields: fields}}})
	r.Close()
	o.Wait()
	if got := file.String(); strings.Contains(got, "hush") || !strings.Contains(got, "withheld") || !strings.Contains(got, "image/avif") {
		t.Errorf("the qlog is %s", got)
	}
	if fields[0].Value != "hush" {
		t.Error("the request itself has lost its value")
	}
}
