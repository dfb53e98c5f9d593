package main

import (
	"encoding/binary"
	"hash/crc32"

	"interop/echo"
)

// cycle is the length of what payloads repeat: a prime, so that nothing shifted looks the same.
const cycle = 251

// pattern makes a payload.
func pattern(size int) []byte {
	payload := make([]byte, size)
	for index := range payload {
		payload[index] = byte(index % cycle)
	}
	return payload
}

// A tally stands for messages that came: how many, and what they were, in order.
type tally struct {
	Count  int    `json:"count"`
	Digest uint32 `json:"digest"`
}

func (tally *tally) add(note *echo.Note) {
	head := []byte(note.Text)
	head = append(head, 0)
	head = binary.BigEndian.AppendUint64(head, note.Number)
	head = binary.BigEndian.AppendUint32(head, note.Size)
	tally.Count++
	tally.Digest = crc32.Update(crc32.Update(tally.Digest, crc32.IEEETable, head), crc32.IEEETable, note.Payload)
}
