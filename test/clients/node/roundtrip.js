// kafkajs against a node: create, produce with every codec it has, ask for the offsets.
//
//     roundtrip.js SERVER PREFIX
//
// kafkajs consumes in groups only, so the caller reads back what was written (test/clients/README.md). The records
// are those of that page, without null headers, which kafkajs does not write. Exit code 1 when anything fails.
//
// SPDX-License-Identifier: Apache-2.0
'use strict'
const { Kafka, CompressionTypes, logLevel } = require('kafkajs')

const COUNT = 300
const PARTITIONS = 3

function record (i) {
  let value = null
  if (i % 10 === 8) {
    value = Buffer.alloc(0)
  } else if (i % 10 !== 9) {
    value = Buffer.alloc(i * 37 % 1500)
    for (let j = 0; j < value.length; j++) value[j] = (i * 31 + j * 7) & 0xff
  }
  return {
    key: i % 7 === 3 && i % 10 !== 9 ? null : `key-${i % 11}`,
    value,
    headers: i % 3 === 0 ? { h: [`${i}`, 'twice'], nul: '' } : {},
    partition: i % PARTITIONS
  }
}

async function main (server, prefix) {
  const kafka = new Kafka({ clientId: 'roundtrip', brokers: [server], logLevel: logLevel.ERROR })
  const admin = kafka.admin()
  await admin.connect()
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false })
  await producer.connect()
  for (const [codec, compression] of [['none', CompressionTypes.None], ['gzip', CompressionTypes.GZIP]]) {
    const topic = `${prefix}-${codec}`
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }] })
    const messages = []
    for (let i = 0; i < COUNT; i++) messages.push(record(i))
    await producer.send({ topic, compression, acks: -1, messages })
    for (const p of await admin.fetchTopicOffsets(topic)) {
      if (p.low !== '0' || p.high !== String(COUNT / PARTITIONS)) {
        throw new Error(`${topic} ${p.partition}: offsets ${p.low} to ${p.high}`)
      }
    }
    console.log(`kafkajs: ${codec}: ${COUNT} records`)
  }
  await producer.disconnect()
  await admin.disconnect()
}

main(process.argv[2], process.argv[3]).catch(e => { console.error(e); process.exit(1) })
