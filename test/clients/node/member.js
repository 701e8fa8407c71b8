// One member of a consumer group, by kafkajs; what it takes and prints: test/clients/README.md
//
//     member.js server=HOST:PORT group=G topic=T [session=MS] [heartbeat=MS] [pace=MS] [to=TOPIC [commit=before]]
//
// SPDX-License-Identifier: Apache-2.0
'use strict'
const { Kafka, logLevel } = require('kafkajs')

const BATCH = 10
const arg = Object.fromEntries(process.argv.slice(2).map(a => [a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]))
const pace = Number(arg.pace || 20)
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1000)
const say = (...words) => require('fs').writeSync(1, words.join(' ') + '\n')

function fatal (e) {
  say('fatal', now(), e)
  process.exit(3) // no farewell to the group
}

// Retries go on while a node is away.
const kafka = new Kafka({
  clientId: 'member', brokers: [arg.server], logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 200 }
})
const consumer = kafka.consumer({
  groupId: arg.group, sessionTimeout: Number(arg.session), rebalanceTimeout: 10000, heartbeatInterval: Number(arg.heartbeat),
  metadataMaxAge: 500, maxWaitTimeInMs: 50
})
const producer = arg.to ? kafka.producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false }) : null

// Not consumer.commitOffsets: what that throws does not tell the library that the group forgot the member.
async function commit (commitOffsets, partition, offset) {
  const start = now()
  try {
    await commitOffsets({ topics: [{ topic: arg.topic, partitions: [{ partition, offset }] }] })
    say('commit', start, now(), `${partition}:${offset}`)
    return true
  } catch (e) {
    say('refused', start, now(), e.type || e.name, `${partition}:${offset}`)
    throw e // the library joins again, or reads again, as it sees fit
  }
}

const copy = messages => producer && producer.send({ topic: arg.to, acks: -1, messages })

// A round of one partition: what the library hands out at once, in pieces.
async function eachBatch ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }) {
  for (let i = 0; i < batch.messages.length && isRunning() && !isStale(); i += BATCH) {
    const end = performance.now() + pace
    const part = batch.messages.slice(i, i + BATCH)
    const messages = part.map(m => ({ key: m.key, value: m.value, partition: batch.partition }))
    const offset = String(BigInt(part[part.length - 1].offset) + 1n)
    if (arg.commit === 'before') {
      await commit(commitOffsetsIfNecessary, batch.partition, offset)
      await copy(messages)
    } else {
      await copy(messages)
      await commit(commitOffsetsIfNecessary, batch.partition, offset)
    }
    resolveOffset(part[part.length - 1].offset)
    await heartbeat()
    await new Promise(resolve => setTimeout(resolve, Math.max(0, end - performance.now())))
  }
}

// A node that is away at first is no reason to give up, as it is not later.
async function patiently (step) {
  for (let tries = 0; ; tries++) {
    try {
      return await step()
    } catch (e) {
      if (tries === 100) throw e
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
}

async function main () {
  const none = () => say('owns', now())
  consumer.on(consumer.events.GROUP_JOIN, e => {
    none() // not always told before: that everything is taken away, and some of it given back
    say('owns', now(), ...(e.payload.memberAssignment[arg.topic] || []).sort((a, b) => a - b))
  })
  consumer.on(consumer.events.REBALANCING, none)
  consumer.on(consumer.events.CRASH, e => {
    none()
    if (e.payload.restart) return
    if (!/group coordinator/.test(e.payload.error)) fatal(e.payload.error)
    say('error', now(), e.payload.error) // the library gives up a coordinator that is not found at once
    take().catch(fatal)
  })
  process.stdin.resume()
  process.stdin.on('end', () => process.exit(1)) // the driver is gone
  process.stdin.once('data', async () => {
    await consumer.disconnect()
    if (producer) await producer.disconnect()
    say('end', now())
    process.exit(0)
  })
  if (producer) await patiently(() => producer.connect())
  await take()
}

async function take () {
  await patiently(() => consumer.connect())
  await patiently(() => consumer.subscribe({ topic: arg.topic, fromBeginning: true }))
  say('started', now(), require('kafkajs/package.json').version)
  await consumer.run({ autoCommit: false, partitionsConsumedConcurrently: 1, eachBatch })
}

main().catch(fatal)
