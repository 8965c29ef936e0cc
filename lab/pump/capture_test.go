package pump

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linger/flow"
	"linger/link"
)

func TestCaptureKeepsItsLimit(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "c.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const limit = 3_000_000
	c := newCapture(file, limit, time.Unix(1, 0), linkInterfaces...)
	data := tcpPacket(1, flow.ACK, 0, 1000, 0)
	const packets = 5000
	for range packets {
		c.packet(int(Client), 1, data, "")
	}
	if err := c.close(2); err != nil {
		t.Fatal(err)
	}
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// The disk may be slower than this loop, so it may be less, but never more.
	if info.Size() > limit || info.Size() < captureBuffer/2 {
		t.Errorf("the file has %d bytes, limit %d", info.Size(), limit)
	}
	if c.seen[Client] != packets || c.missing[Client] == 0 || c.missing[Client] >= packets {
		t.Errorf("seen %d, missing %d of %d", c.seen, c.missing, packets)
	}
}

// A reader that does not read stands for a disk that does not write.
func TestCaptureNeverWaitsForItsFile(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := newCapture(w, 1<<40, time.Unix(1, 0), linkInterfaces...)
	data := tcpPacket(1, flow.ACK, 0, 1400, 0)
	const packets = 3 * captureBuffers * captureBuffer / 1500
	for range packets {
		c.packet(int(Server), 1, data, "") // would hang here
	}
	if c.missing[Server] == 0 {
		t.Error("no packet was left out")
	}
	r.Close()
	if err := c.close(2); err == nil || !strings.Contains(err.Error(), "cannot write the capture") {
		t.Errorf("a broken pipe gives %v", err)
	}
	w.Close()
}

func TestCaptureOfAPacketAllocatesNothing(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "c.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := newCapture(file, 0, time.Unix(1, 0), linkInterfaces...)
	data := tcpPacket(1, flow.ACK, 0, 1400, 0)
	if n := testing.AllocsPerRun(100, func() { c.packet(int(Client), 1, data, outcomes[link.Lost]) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if err := c.close(2); err != nil {
		t.Fatal(err)
	}
}
