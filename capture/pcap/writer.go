package pcap

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// A Writer writes frames, of any links and files, as one pcapng file: NewWriter, Write for
// each, Close. Times are in nanoseconds. Each packet bears a comment with the number that
// it had, and the file, so that it is found again.
type Writer struct {
	files *Files
	to    *bufio.Writer
	place map[int]uint32 // the number of each interface, by Place
	block []byte
}

// NewWriter writes the head. Frames are those of files; secrets that these hold are
// written too.
func NewWriter(w io.Writer, files *Files) *Writer {
	out := &Writer{files: files, to: bufio.NewWriterSize(w, fullBuffer), place: map[int]uint32{}}
	out.begin(blockSection)
	out.number(magicSection, 1) // version 1.0
	out.block = append(out.block, "\xff\xff\xff\xff\xff\xff\xff\xff"...)
	out.option(4, "linger") // shb_userappl
	out.end()
	return out
}

// Write adds a frame. Errors stay until Close.
func (w *Writer) Write(f *Frame) {
	id, ok := w.place[f.Place]
	if !ok {
		if id = uint32(len(w.place)); id == 0 {
			w.secrets()
		}
		w.place[f.Place] = id
		w.describe(f)
	}
	at := uint64(w.files.began + int64(f.At))
	w.begin(blockPacket)
	w.number(id, uint32(at>>32), uint32(at), uint32(len(f.Data)), uint32(f.Wire))
	w.bytes(f.Data)
	w.option(1, fmt.Sprintf("frame %d of %s", f.Number, w.files.all[f.File].Name)) // opt_comment
	w.end()
}

// Close writes what is left, and returns the first error. It does not close what is below.
func (w *Writer) Close() error { return w.to.Flush() }

// secrets writes what decrypts the packets that follow.
func (w *Writer) secrets() {
	if len(w.files.Secrets) == 0 {
		return
	}
	w.begin(blockSecrets)
	w.number(secretsTLS, uint32(len(w.files.Secrets)))
	w.bytes(w.files.Secrets)
	w.end()
}

// describe writes the interface that a frame was captured on.
func (w *Writer) describe(f *Frame) {
	var on Interface
	for _, one := range w.files.all[f.File].Interfaces {
		if one.place == f.Place {
			on = one
		}
	}
	w.begin(blockInterface)
	w.number(uint32(f.Link), uint32(on.SnapLen))
	if on.Name != "" {
		w.option(optName, on.Name)
	}
	w.option(optResolution, "\x09") // 10^-9 s
	w.end()
}

func (w *Writer) begin(kind uint32) {
	w.block = binary.LittleEndian.AppendUint32(w.block[:0], kind)
	w.block = append(w.block, 0, 0, 0, 0)
}

func (w *Writer) number(n ...uint32) {
	for _, v := range n {
		w.block = binary.LittleEndian.AppendUint32(w.block, v)
	}
}

// bytes appends b, and zeros up to a multiple of four bytes.
func (w *Writer) bytes(b []byte) {
	w.block = append(append(w.block, b...), make([]byte, -len(b)&3)...)
}

func (w *Writer) option(code uint16, value string) {
	value = value[:min(len(value), 1<<15)]
	w.block = binary.LittleEndian.AppendUint16(w.block, code)
	w.block = binary.LittleEndian.AppendUint16(w.block, uint16(len(value)))
	w.bytes([]byte(value))
}

func (w *Writer) end() {
	size := uint32(len(w.block) + 4)
	binary.LittleEndian.PutUint32(w.block[4:], size)
	w.block = binary.LittleEndian.AppendUint32(w.block, size)
	w.to.Write(w.block) // an error stays, and Flush returns it
}
