package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxKeyLog bounds the key log of one capture: room for a hundred thousand TLS
// connections, of some 700 bytes each.
const maxKeyLog = 64 << 20

const (
	blockSecrets = 10         // draft-ietf-opsawg-pcapng, 4.8
	secretsTLS   = 0x544c534b // "TLSK": the lines of SSLKEYLOGFILE

	byteOrderMagic = 0x1A2B3C4D
	// sectionSize is the least length of a section header: both lengths, type,
	// magic, version, and length of the section.
	sectionSize = 28
	// noLength is the length of a section that does not say it.
	noLength = 1<<64 - 1
)

// AddSecrets copies a pcapng capture from src to dst, with the key log that its
// client wrote (the lines of SSLKEYLOGFILE, RFC 9850)
// in a Decryption Secrets Block right behind the section header: secrets must
// stand before the packets that they decrypt. Wireshark and tshark then show TLS
// and QUIC in clear. An empty key log adds nothing.
//
// It refuses what is not a pcapng file of one section, and one that ends in the
// middle of a block; dst then holds no whole capture. Only the key log is held in
// memory.
func AddSecrets(dst io.Writer, src io.Reader, keylog []byte) error {
	if len(keylog) > maxKeyLog {
		return fmt.Errorf("a key log of %d bytes; one capture takes %d: capture fewer connections", len(keylog), maxKeyLog)
	}
	var head [24]byte
	if _, err := io.ReadFull(src, head[:]); err != nil {
		return cut(err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(head[8:]) != byteOrderMagic {
		order = binary.BigEndian
	}
	if order.Uint32(head[:]) != blockSection || order.Uint32(head[8:]) != byteOrderMagic || order.Uint32(head[4:]) < sectionSize {
		return errors.New("the capture is no pcapng file; write one with linger or dumpcap")
	}
	var secrets []byte
	if len(keylog) > 0 {
		secrets = appendSecrets(nil, order, keylog)
	}
	if length := order.Uint64(head[16:]); length != noLength {
		order.PutUint64(head[16:], length+uint64(len(secrets)))
	}
	if err := copyBlock(dst, src, order, head[:]); err != nil {
		return err
	}
	if _, err := dst.Write(secrets); err != nil {
		return err
	}
	for {
		switch n, err := io.ReadFull(src, head[:8]); {
		case n == 0 && err == io.EOF:
			return nil
		case err != nil:
			return cut(err)
		case order.Uint32(head[:]) == blockSection:
			return errors.New("the capture has several sections, each with secrets of its own; split it, and add them to each part")
		}
		if err := copyBlock(dst, src, order, head[:8]); err != nil {
			return err
		}
	}
}

// copyBlock copies the block that begins with head, up to the length at its end.
func copyBlock(dst io.Writer, src io.Reader, order binary.ByteOrder, head []byte) error {
	length := order.Uint32(head[4:])
	if length%4 != 0 || int64(length) < int64(len(head))+4 {
		return fmt.Errorf("the capture has a block that says it is %d bytes long; it is damaged, capture anew", length)
	}
	if _, err := dst.Write(head); err != nil {
		return err
	}
	if _, err := io.CopyN(dst, src, int64(length)-int64(len(head))-4); err != nil {
		return cut(err)
	}
	var tail [4]byte
	if _, err := io.ReadFull(src, tail[:]); err != nil {
		return cut(err)
	}
	if again := order.Uint32(tail[:]); again != length {
		return fmt.Errorf("the capture has a block of %d bytes that ends as one of %d; it is damaged, capture anew", length, again)
	}
	_, err := dst.Write(tail[:])
	return err
}

// cut words the end of a capture where it must not end.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the capture ends in the middle of a block: %w; let the capture end before secrets are added", io.ErrUnexpectedEOF)
	}
	return err
}

// appendSecrets appends a Decryption Secrets Block (4.8) in the section's order
// of bytes.
func appendSecrets(b []byte, order binary.ByteOrder, keylog []byte) []byte {
	length := uint32(20 + (len(keylog)+3)&^3)
	for _, v := range []uint32{blockSecrets, length, secretsTLS, uint32(len(keylog))} {
		b = append(b, 0, 0, 0, 0)
		order.PutUint32(b[len(b)-4:], v)
	}
	b = pad(append(b, keylog...), len(keylog))
	b = append(b, 0, 0, 0, 0)
	order.PutUint32(b[len(b)-4:], length)
	return b
}
