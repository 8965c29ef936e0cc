package pcap

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// section is blocks of pcapng, each of a type with a body, behind the head of a section.
func section(order binary.AppendByteOrder, all ...any) []byte {
	var out []byte
	add := func(kind uint32, body []byte) {
		body = append(body, make([]byte, -len(body)&3)...)
		size := uint32(12 + len(body))
		out = order.AppendUint32(order.AppendUint32(out, kind), size)
		out = order.AppendUint32(append(out, body...), size)
	}
	head := order.AppendUint32(nil, magicSection)
	add(blockSection, append(order.AppendUint16(order.AppendUint16(head, 1), 0), bytes.Repeat([]byte{0xff}, 8)...))
	for i := 0; i < len(all); i += 2 {
		add(uint32(all[i].(int)), all[i+1].([]byte))
	}
	return out
}

func TestSecretsStandAnywhere(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		keys := func(lines string) []byte {
			return append(order.AppendUint32(order.AppendUint32(nil, secretsTLS), uint32(len(lines))), lines...)
		}
		file := section(order, blockPacket, make([]byte, 100), blockSecrets, keys("one\n"), blockPacket, make([]byte, 40_000), blockSecrets, keys("two"),
			blockSecrets, make([]byte, 8), blockPacket, make([]byte, 20))
		file = append(file, section(order, blockSecrets, keys("three\n"))...) // another section
		if got := string(Secrets(bytes.NewReader(file), int64(len(file)))); got != "one\ntwo\nthree\n" {
			t.Errorf("%q", got)
		}
		for n := range len(file) {
			Secrets(bytes.NewReader(file[:n]), int64(n)) // damaged
		}
	}
	if got := Secrets(bytes.NewReader([]byte("\xd4\xc3\xb2\xa1 and so on, and on")), 22); got != nil {
		t.Errorf("%q", got)
	}
}

func FuzzSecrets(f *testing.F) {
	f.Add(section(binary.LittleEndian, blockSecrets, []byte("KSLT\x04\x00\x00\x00abc\n"), blockPacket, make([]byte, 50)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := Secrets(bytes.NewReader(b), int64(len(b))); len(got) > len(b) {
			t.Fatalf("%d bytes of %d", len(got), len(b))
		}
	})
}
