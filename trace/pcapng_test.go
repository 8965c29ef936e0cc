package trace

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linger/internal/testall"
)

// ping is an IPv4 packet of ICMP from 192.0.2.1 to 192.0.2.2, with n bytes of payload.
func ping(n int) []byte {
	b := []byte{0x45, 0, 0, byte(28 + n), 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 8, 0, 0, 0, 0, 1, 0, 1}
	return append(b, make([]byte, n)...)
}

// capture is a file of two interfaces with a packet of each length modulo four.
func capture(at time.Time) []byte {
	b := AppendPcapngHeader(nil, PcapngInterface{"up", "towards the server"}, PcapngInterface{Name: "down"})
	for i := range 8 {
		comment := ""
		if i%3 == 0 {
			comment = "lost on the link"
		}
		before := len(b)
		b = AppendPcapngPacket(b, i%2, at.Add(time.Duration(i)), ping(i), comment)
		if len(b)-before != PcapngPacketSize(28+i, comment) {
			panic("PcapngPacketSize is wrong")
		}
	}
	b = AppendPcapngStatistics(b, 0, at, 5, 1)
	return AppendPcapngStatistics(b, 1, at, 4, 0)
}

// Every block says its length at both ends, a multiple of four (3.1).
func TestPcapngBlocksCloseThemselves(t *testing.T) {
	var kinds []uint32
	for b := capture(time.Unix(1, 2)); len(b) > 0; {
		length := binary.LittleEndian.Uint32(b[4:])
		if length%4 != 0 || int(length) > len(b) || binary.LittleEndian.Uint32(b[length-4:]) != length {
			t.Fatalf("block %#x of length %d is not closed", b[:4], length)
		}
		kinds = append(kinds, binary.LittleEndian.Uint32(b))
		b = b[length:]
	}
	if len(kinds) != 3+8+2 || kinds[0] != blockSection {
		t.Errorf("blocks %x", kinds)
	}
}

func TestPcapngAsTsharkReadsIt(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		testall.Lacks(t, "tshark is not installed: %v", err)
	}
	file := filepath.Join(t.TempDir(), "c.pcapng")
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	if err := os.WriteFile(file, capture(at), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tshark, "-r", file, "-T", "fields", "-E", "separator=|",
		"-e", "frame.time_epoch", "-e", "frame.interface_name", "-e", "ip.len", "-e", "frame.comment", "-e", "icmp.type")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	want := `1767323045.123456789|up|28|lost on the link|8
1767323045.123456790|down|29||8
1767323045.123456791|up|30||8
1767323045.123456792|down|31|lost on the link|8
1767323045.123456793|up|32||8
1767323045.123456794|down|33||8
1767323045.123456795|up|34|lost on the link|8
1767323045.123456796|down|35||8`
	if got := strings.TrimSpace(string(out)); got != want {
		t.Errorf("tshark reads\n%s\nwant\n%s", got, want)
	}
}

func TestPcapngPacketAllocatesNothing(t *testing.T) {
	b, p, at := make([]byte, 0, 4096), ping(3), time.Unix(1, 2)
	if n := testing.AllocsPerRun(100, func() { AppendPcapngPacket(b, 0, at, p, "comment") }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
