package weblog

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// MaxLine bounds one line, in bytes. Longer ones are bad: a Source leaves out those that it
// cannot hold, and a Parser the others.
const MaxLine = 64 << 10

// BlockSize is a good length of the buffer that Source.Next fills: it stays in a
// processor's cache.
const BlockSize = 256 << 10

// maxWindow bounds the memory that a zstd frame may ask for, as the zstd program does.
const maxWindow = 128 << 20

// A Source hands out a log in blocks of whole lines.
type Source struct {
	// Compression is "gzip", "zstd", or none.
	Compression string
	// Bytes counts what was handed out, TooLong the lines that it left out.
	Bytes, TooLong int64

	from  io.Reader
	close func()
	tail  []byte // of a line whose end has not come
	skip  bool   // in a line that is too long
	err   error
}

// NewSource returns a source of what r has. What is compressed with gzip or zstd is
// decompressed as it is read.
func NewSource(r io.Reader) (*Source, error) {
	s := &Source{close: func() {}}
	head := make([]byte, 4)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	s.from = io.MultiReader(bytes.NewReader(head[:n]), r)
	switch {
	case bytes.HasPrefix(head[:n], []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(s.from)
		if err != nil {
			return nil, fmt.Errorf("its gzip cannot be read: %w", err)
		}
		s.from, s.Compression = z, "gzip"
	case bytes.Equal(head[:n], []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(s.from, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("its zstd cannot be read: %w", err)
		}
		s.from, s.close, s.Compression = z, z.Close, "zstd"
	}
	return s, nil
}

// Close lets go of what decompresses.
func (s *Source) Close() { s.close() }

// Next fills buf, of at least 2*MaxLine bytes, with whole lines and returns them. The last
// line of a log may lack its end. The error is io.EOF behind the last line; any other one
// is why the log could not be read to its end, and comes after all that could.
func (s *Source) Next(buf []byte) ([]byte, error) {
	n := copy(buf, s.tail)
	s.tail = s.tail[:0]
	for {
		for s.err == nil && n < len(buf) {
			var m int
			m, s.err = s.from.Read(buf[n:])
			n += m
		}
		block := buf[:n]
		if s.skip {
			if block = s.resume(block); block == nil && s.err == nil {
				n = 0
				continue
			}
		}
		if s.err != nil {
			if len(block) == 0 {
				return nil, s.problem()
			}
			s.Bytes += int64(len(block))
			return block, nil
		}
		end := bytes.LastIndexByte(block, '\n') + 1
		if rest := block[end:]; len(rest) > MaxLine {
			s.skip = true
			s.TooLong++
		} else {
			s.tail = append(s.tail, rest...)
		}
		if end == 0 {
			n = copy(buf, s.tail)
			s.tail = s.tail[:0]
			continue
		}
		s.Bytes += int64(end)
		return block[:end], nil
	}
}

// resume returns what stands behind the end of the line that is too long, nil if that has
// not come.
func (s *Source) resume(block []byte) []byte {
	i := bytes.IndexByte(block, '\n')
	if i < 0 {
		return nil
	}
	s.skip = false
	return block[i+1:]
}

func (s *Source) problem() error {
	switch {
	case s.err == io.EOF:
		return io.EOF
	case errors.Is(s.err, io.ErrUnexpectedEOF):
		return fmt.Errorf("its %s is cut", s.Compression)
	case s.Compression != "":
		return fmt.Errorf("its %s is damaged: %w", s.Compression, s.err)
	}
	return s.err
}
