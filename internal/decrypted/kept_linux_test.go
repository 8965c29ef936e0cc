package decrypted

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKept reads the captures again that LINGER_TEST_CAPTURES had kept of programs, with their
// key logs: what was read wrong may be read right by now.
func TestKept(t *testing.T) {
	dir := os.Getenv("LINGER_TEST_CAPTURES")
	files, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil || dir == "" || len(files) == 0 {
		t.Skip("no captures were kept")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			keys := strings.TrimSuffix(file, ".pcap") + ".keys"
			got, _, err := read(file, keys)
			if err != nil {
				t.Fatal(err)
			}
			port := ""
			for _, c := range got.Connections {
				port = c.Server[strings.LastIndexByte(c.Server, ':')+1:]
			}
			more := []string{"-o", "tls.keylog_file:" + keys, "-d", "tcp.port==" + port + ",tls", "-d", "udp.port==" + port + ",quic"}
			againstTshark(t, filepath.Base(file), file, got, more...)
			againstFrames(t, filepath.Base(file), file, got, more...)
		})
	}
}
