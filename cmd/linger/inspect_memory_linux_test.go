package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A throng is made-up traffic of many connections, of which a capture is written as it is made.
type throng struct {
	connections, clients int
	requests             int  // on each; of all, one after the other has its turn
	body                 int  // of a response, in bytes
	ramp                 bool // a connection is opened whenever all others have had a turn
	close                bool // each is closed before the next one is opened
	half                 bool // nobody answers a SYN
}

// A tape writes packets as a pcap of raw IP.
type tape struct {
	w     *bufio.Writer
	now   time.Duration
	seq   [][2]uint32
	frame []byte
	bytes int64
}

const (
	flagFIN, flagSYN, flagPSH, flagACK = 1, 2, 8, 16

	crowdAsks = "GET /images/of/some/length.png HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\r\n"
)

func newTape(w io.Writer, connections int) *tape {
	t := &tape{w: bufio.NewWriterSize(w, 1<<20), seq: make([][2]uint32, connections)}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = le.AppendUint32(b, 4<<16|2)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(le.AppendUint32(b, 1<<18), 101)
	t.w.Write(b)
	return t
}

// send writes a segment of connection i, from its client (0) or from the server (1).
func (t *tape) send(c *throng, i, from int, flags byte, data string) {
	t.now += 10 * time.Microsecond
	le, be := binary.LittleEndian, binary.BigEndian
	size := 40 + len(data)
	b := le.AppendUint32(t.frame[:0], uint32(1_700_000_000+t.now/time.Second))
	b = le.AppendUint32(b, uint32(t.now%time.Second))
	b = le.AppendUint32(le.AppendUint32(b, uint32(size)), uint32(size))
	b = append(b, 0x45, 0)
	b = be.AppendUint16(b, uint16(size))
	b = append(b, 0, 0, 0, 0, 64, 6, 0, 0)
	client, port := 10<<24|uint32(i%c.clients), uint16(1024+i/c.clients)
	ends := [2]uint32{client, 192<<24 | 2<<8 | 1}
	ports := [2]uint16{port, 80}
	b = be.AppendUint32(be.AppendUint32(b, ends[from]), ends[1-from])
	b = be.AppendUint16(be.AppendUint16(b, ports[from]), ports[1-from])
	s := &t.seq[i]
	b = be.AppendUint32(b, s[from])
	ack := s[1-from]
	if flags&flagACK == 0 {
		ack = 0
	}
	b = be.AppendUint32(b, ack)
	b = append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	b = append(b, data...)
	s[from] += uint32(len(data))
	if flags&(flagSYN|flagFIN) != 0 {
		s[from]++
	}
	t.frame = b
	t.bytes += int64(len(b))
	t.w.Write(b)
}

func (t *tape) open(c *throng, i int) {
	t.seq[i] = [2]uint32{1000 + uint32(t.now/time.Microsecond), 5000}
	t.send(c, i, 0, flagSYN, "")
	if c.half {
		return
	}
	t.send(c, i, 1, flagSYN|flagACK, "")
	t.send(c, i, 0, flagACK, "")
}

// ask is a request and its response.
func (t *tape) ask(c *throng, i int, answer string) {
	t.send(c, i, 0, flagPSH|flagACK, crowdAsks)
	for rest := answer; rest != ""; {
		n := min(len(rest), 1448)
		t.send(c, i, 1, flagPSH|flagACK, rest[:n])
		rest = rest[n:]
	}
	t.send(c, i, 0, flagACK, "")
}

func (t *tape) end(c *throng, i int) {
	t.send(c, i, 0, flagFIN|flagACK, "")
	t.send(c, i, 1, flagFIN|flagACK, "")
	t.send(c, i, 0, flagACK, "")
}

// play writes all of it.
func (c throng) play(w io.Writer) (int64, error) {
	t := newTape(w, c.connections)
	answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: %d\r\n\r\n%s", c.body, make([]byte, c.body))
	turn := 0
	for i := range c.connections {
		t.open(&c, i)
		if c.close && !c.half {
			for range c.requests {
				t.ask(&c, i, answer)
			}
			t.end(&c, i)
		}
		for n := 0; c.ramp && n < c.requests; n++ {
			t.ask(&c, turn%(i+1), answer)
			turn++
		}
	}
	if !c.close && !c.half && !c.ramp {
		for range c.requests {
			for i := range c.connections {
				t.ask(&c, i, answer)
			}
		}
	}
	return t.bytes, t.w.Flush()
}

// BenchmarkInspectMemory has the program read what is made meanwhile, and reports the most that
// was resident of it. What is open at once bounds that, whatever passes. With -short there are
// a thousand connections with five requests at most, to see that it runs.
func BenchmarkInspectMemory(b *testing.B) {
	for _, test := range []struct {
		name string
		throng
	}{
		{"open=100000 requests=3", throng{connections: 100_000, clients: 100_000, requests: 3, body: 100}},
		{"open=100000 requests=30", throng{connections: 100_000, clients: 100_000, requests: 30, body: 100}},
		{"open=100000 clients=4", throng{connections: 100_000, clients: 4, requests: 10, body: 100}},
		{"open=100000 while others are opened", throng{connections: 100_000, clients: 1000, requests: 30, body: 100, ramp: true}},
		{"clients=1000000", throng{connections: 1_000_000, clients: 1_000_000, requests: 1, body: 100, close: true}},
		{"half-open=1000000", throng{connections: 1_000_000, clients: 1_000_000, half: true}},
		{"10 GB", throng{connections: 200, clients: 200, requests: 500, body: 100_000}},
	} {
		if testing.Short() {
			test.connections, test.clients, test.requests = min(test.connections, 1000), min(test.clients, 1000), min(test.requests, 5)
		}
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), "linger", "inspect", "-")
				in, err := cmd.StdinPipe()
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				bytes, err := test.play(in)
				in.Close()
				if err := cmd.Wait(); err != nil {
					b.Fatal(err)
				}
				if err != nil {
					b.Fatal(err)
				}
				peak := float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) * 1024 / 1e6
				b.ReportMetric(peak, "MB-peak")
				b.ReportMetric(cmd.ProcessState.UserTime().Seconds(), "user-s")
				b.ReportMetric(time.Since(began).Seconds(), "wall-s")
				b.ReportMetric(float64(bytes)/1e9, "GB")
			}
		})
	}
}
