"""The example of Kantos's own overview, in blocking Python, as written there.

    KANTOS_API_KEY=... python examples/vendor_example.py

Against a sandbox (`kantos sandbox`), set KANTOS_BASE_URL as well.
"""

import os

from kantos_async import Kantos

client = Kantos(api_key=os.environ["KANTOS_API_KEY"])

lead = client.records.create(
    object_id="obj_contacts",
    field_values={"name": "John Doe", "email": "john@example.com", "status": "New"},
)
print("created", lead.id)

leads = client.records.query(
    object_id="obj_contacts", filters={"status": "New"}, sort="created_at", order="desc"
)
print(leads.count(), "leads are new, the last of them:")
for lead in leads:
    print(lead.id, lead.field_values["name"])
    break

client.close()
